import { expect, it } from "vitest";
import { schema } from "../testing/schemas.ts";
import { usePage } from "../testing/stores.ts";

const page = usePage();

class User {
  readonly name: string;

  constructor({ name }: { name: string }) {
    this.name = name;
  }
}

it("A schema that makes an object of a class of the value does so at each read", async () => {
  const store = page.open({ schemas: { "*": schema((value) => ({ value: new User(value as User) })) } });
  await store.store("k", { name: "Ada" });
  for (let read = 1; read <= 3; read++) expect(await store.retrieve("k")).toBeInstanceOf(User);
});

it("A schema that adds a property with undefined does so at each read", async () => {
  const store = page.open({ schemas: { "*": schema((value) => ({ value: { ...(value as User), role: undefined } })) } });
  await store.store("k", { name: "Ada" });
  for (let read = 1; read <= 3; read++) expect(Object.keys((await store.retrieve("k")) as User)).toEqual(["name", "role"]);
});

it("A value that is nested deeper than a stack can compare passes its schema", async () => {
  let value: unknown = 1;
  for (let depth = 0; depth < 4_000; depth++) value = [value];
  const store = page.open({ schemas: { "*": schema((given) => ({ value: given })) } });
  await store.store("k", value);
  const text = JSON.stringify(value);
  for (let read = 1; read <= 2; read++) expect(JSON.stringify(await store.retrieve("k"))).toBe(text);
});
