/** Whether a server's URL names this machine: it can be reached while the browser is offline. */
export function isLoopback(server: string): boolean {
  const { hostname } = new URL(server);
  return /^(?:localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\])$/i.test(hostname);
}
