import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generate } from "selfsigned";

export interface Certificates {
  /** The certificate authority that a client must trust. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate for 127.0.0.1 and localhost, signed by a certificate authority of this run. Its key is not kept. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const authority = await generate([{ name: "commonName", value: "nas-keystore tests" }], {
    keyType: "ec",
    algorithm: "sha256",
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, critical: true },
    ],
  });
  const server = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
    algorithm: "sha256",
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: "basicConstraints", cA: false },
      { name: "keyUsage", digitalSignature: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: "localhost" },
          { type: 7, ip: "127.0.0.1" },
        ],
      },
    ],
  });
  const certFile = join(folder, "server-cert.pem");
  const keyFile = join(folder, "server-key.pem");
  await writeFile(certFile, server.cert);
  await writeFile(keyFile, server.private, { mode: 0o600 });
  return { ca: authority.cert, cert: server.cert, key: server.private, certFile, keyFile };
}
