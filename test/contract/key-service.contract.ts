import { randomBytes } from "node:crypto";

import { describe, expect, test } from "vitest";

import type { KeyService, WrappedKey } from "../../src/core/ports/key-service.ts";

/** What every key service promises. `make` gives an empty one; two calls give two that share nothing. */
export function describeKeyService(name: string, make: () => Promise<KeyService>): void {
  const wrapOnce = async (
    service: KeyService,
    key: Uint8Array,
    context = "context",
  ): Promise<WrappedKey[]> => {
    const { recipients } = await service.recipients("retail", { create: true });
    return Promise.all(recipients.map((recipient) => service.wrap(recipient, key, context)));
  };

  describe(`key service: ${name}`, () => {
    test("makes a project's key once, and says when", async () => {
      const service = await make();
      const first = await service.recipients("retail", { create: true });
      const second = await service.recipients("retail", { create: true });
      expect(first.created).toBe(true);
      expect(second).toEqual({ recipients: first.recipients, created: false });
      expect(first.recipients.map(({ kind }) => kind)).toEqual(["project"]);
      expect(first.recipients[0]?.id).toMatch(/^[0-9a-f]{16}$/);
    });

    test("does not make a key unless it is asked to", async () => {
      const service = await make();
      await expect(service.recipients("retail", { create: false })).rejects.toMatchObject({
        code: "key-missing",
      });
      await expect(service.recipients("retail", { create: false })).rejects.toMatchObject({
        code: "key-missing",
      });
    });

    test("gives every project its own key", async () => {
      const service = await make();
      const retail = await service.recipients("retail", { create: true });
      const media = await service.recipients("media", { create: true });
      expect(media.recipients[0]?.id).not.toBe(retail.recipients[0]?.id);
    });

    test("unwraps what it wrapped", async () => {
      const service = await make();
      const key = randomBytes(32);
      const wrapped = await wrapOnce(service, key);
      expect(Buffer.from(await service.unwrap("retail", wrapped, "context"))).toEqual(key);
    });

    test("wraps the same key differently each time", async () => {
      const service = await make();
      const key = randomBytes(32);
      expect((await wrapOnce(service, key))[0]?.wrapped).not.toBe((await wrapOnce(service, key))[0]?.wrapped);
    });

    test("does not unwrap in another context", async () => {
      const service = await make();
      const wrapped = await wrapOnce(service, randomBytes(32));
      await expect(service.unwrap("retail", wrapped, "other")).rejects.toMatchObject({
        code: "keyring-damaged",
      });
    });

    test("finds every changed byte of the wrapped key", async () => {
      const service = await make();
      const [wrapped] = (await wrapOnce(service, randomBytes(32))) as [WrappedKey];
      const bytes = Buffer.from(wrapped.wrapped, "base64");
      for (let at = 0; at < bytes.length; at += 1) {
        const changed = Buffer.from(bytes);
        changed.writeUInt8(changed.readUInt8(at) ^ 0x10, at);
        const damaged = [{ ...wrapped, wrapped: changed.toString("base64") }];
        await expect(service.unwrap("retail", damaged, "context")).rejects.toMatchObject({
          code: "keyring-damaged",
        });
      }
    });

    test("says that the key is missing when the project has none", async () => {
      const wrapped = await wrapOnce(await make(), randomBytes(32));
      const empty = await make();
      await expect(empty.unwrap("retail", wrapped, "context")).rejects.toMatchObject({ code: "key-missing" });
    });

    test("says that the key is wrong when the project has another one", async () => {
      const wrapped = await wrapOnce(await make(), randomBytes(32));
      const other = await make();
      await other.recipients("retail", { create: true });
      await expect(other.unwrap("retail", wrapped, "context")).rejects.toMatchObject({ code: "key-wrong" });
    });
  });
}
