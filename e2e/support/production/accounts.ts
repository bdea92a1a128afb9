import type { Page } from "@playwright/test";
import type { ProductionServer } from "./server.ts";

/** The passwords and the token of the test servers. */
export const SHOP = "tests-shop-5f1c0a9be27d";
export const BILLING = "tests-billing-81ad5c3e90b4";
export const BACKEND = "tests-backend-2c7e9d10fa63";
export const ADMINISTRATOR = "tests-administrator-9d2be5c07f14";
export const TOKEN = "tests-token-e07b44f1d3c8";
/** bcrypt hashes of the lowest cost. nats-server needs quotes around a dollar sign. */
export const PASSWORDS = {
  NATS_SHOP_PASSWORD: '"$2a$04$q5wH0VygMXaE5HKiMebCkOm3WmNLoWMWbI3gGmgKq2J8B5JrUUXG."',
  NATS_BILLING_PASSWORD: '"$2a$04$PMV316KcEKKa2zNgaDR0guldjkY0BZ4D74rOTayS1BLALGfOKZLG2"',
  NATS_BACKEND_PASSWORD: '"$2a$04$KOcjboSZjkkA/qeJ4FpQ8ulQsjESveGl.oWd1yHTeQPPhxlDbtz36"',
};
/** For nats-server-durable.conf. */
export const DURABLE_PASSWORDS = {
  ...PASSWORDS,
  NATS_ADMINISTRATOR_PASSWORD: '"$2a$04$abcdefghijklmnopqrstuux1gffQGjhR9mnRTNupPrvdp5V.rdfr6"',
};

/** Sets the credentials that the stores of the page connect with. */
export async function logIn(page: Page, credentials: Partial<{ user: string; pass: string; token: string; jwt: string }>): Promise<void> {
  await page.evaluate((credentials) => void Object.assign(login.credentials, credentials), credentials);
}

/** Opens a store that connects with the password of the page. */
export async function openWithPassword(page: Page, server: ProductionServer, namespace = "shop"): Promise<void> {
  await page.evaluate((where) => login.openWithPassword(where), { servers: server.wsUrl, namespace });
}
