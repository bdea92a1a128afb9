/**
 * The addresses that `npm start` prints, and what Ctrl-C ends.
 * @param {string} demo
 * @param {Pick<import("./dev-server.mjs").DevServer, "lines" | "isOurs">} server
 */
export function startMessage(demo, { lines, isOurs }) {
  return `
  Demo         ${demo}
  NATS server  ${lines.join("\n").replaceAll("\n", `\n${" ".repeat(15)}`)}

  Ctrl-C ends ${isOurs ? "both" : "the demo"}.
`;
}
