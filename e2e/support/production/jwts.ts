import {
  createAccount,
  createOperator,
  createUser,
  encodeAccount,
  encodeOperator,
  encodeUser,
  type KeyPair,
  type User,
} from "@nats-io/jwt";

/** An operator and an account for one test, in place of `nsc` and a login service. */
export interface Issuer {
  /** As `nsc generate config --mem-resolver` writes it. */
  readonly operatorConf: string;
  /** A JWT for a user's public key: may publish in the namespace for the given number of seconds. */
  sign(userKey: string, options: { namespace: string; seconds: number; bearer?: boolean }): Promise<string>;
  /** Credentials of a service that may subscribe to all subjects. */
  backend(): Promise<{ jwt: string; seed: Uint8Array }>;
}

export async function makeIssuer(): Promise<Issuer> {
  const operator = createOperator();
  const account = createAccount();
  const operatorJwt = await encodeOperator("tests", operator);
  const accountJwt = await encodeAccount("app", account, { limits: UNLIMITED }, { signer: operator });
  return {
    operatorConf: [`operator: ${operatorJwt}`, "resolver: MEMORY", `resolver_preload: { ${account.getPublicKey()}: ${accountJwt} }`].join(
      "\n",
    ),
    sign: (userKey, { namespace, seconds, bearer = false }) => {
      const user: Partial<User> = {
        pub: { allow: [`_kv.${namespace}.key.*`] },
        sub: { deny: [">"] },
        allowed_connection_types: ["WEBSOCKET"],
        bearer_token: bearer,
      };
      return encodeUser("page", userKey, account, user, { exp: Math.floor(Date.now() / 1000) + seconds });
    },
    backend: async () => {
      const pair: KeyPair = createUser();
      const jwt = await encodeUser("backend", pair, account, { pub: { deny: [">"] } });
      return { jwt, seed: pair.getSeed() };
    },
  };
}

const UNLIMITED = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
