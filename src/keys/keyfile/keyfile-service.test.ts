import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { afterEach, describe, expect, test } from "vitest";

import type { WrappedKey } from "../../core/ports/key-service.ts";
import { KeyfileService } from "./keyfile-service.ts";

const run = promisify(execFile);
const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "lc2-keys-"));
  folders.push(folder);
  return join(folder, "data", "keys");
}

async function wrapForAll(service: KeyfileService, key: Buffer): Promise<WrappedKey[]> {
  const { recipients } = await service.recipients("retail", { create: true });
  return Promise.all(recipients.map((recipient) => service.wrap(recipient, key, "context")));
}

const unwrap = async (service: KeyfileService, wrapped: readonly WrappedKey[]): Promise<Buffer> =>
  Buffer.from(await service.unwrap("retail", wrapped, "context"));

describe("the file", () => {
  test("is private, in a private folder, and nothing else is left", async () => {
    const folder = makeFolder();
    await new KeyfileService(folder).recipients("retail", { create: true });
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, "retail.key")).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(["retail.key"]);
  });

  test("is closed to others when it was open, and that is said", async () => {
    const folder = makeFolder();
    await new KeyfileService(folder).recipients("retail", { create: true });
    const path = join(folder, "retail.key");
    chmodSync(path, 0o644);
    const notices: string[] = [];
    const service = new KeyfileService(folder, { onNotice: (message) => notices.push(message) });
    await service.recipients("retail", { create: false });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(notices).toEqual([expect.stringContaining(`${path} could be read`)]);
  });

  test("with a changed character is refused by name and line, and stays", async () => {
    const folder = makeFolder();
    const service = new KeyfileService(folder);
    await service.recipients("retail", { create: true });
    const path = join(folder, "retail.key");
    const broken = readFileSync(path, "utf8").replace(
      /^2: (.)/m,
      (_, c: string) => `2: ${c === "A" ? "B" : "A"}`,
    );
    writeFileSync(path, broken);
    const failure = await service.recipients("retail", { create: true }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "keyfile-invalid" });
    expect(String(failure)).toContain(path);
    expect(String(failure)).toContain("line 2 of key");
    expect(readFileSync(path, "utf8")).toBe(broken);
  });

  test("of another project under this one's name is refused", async () => {
    const folder = makeFolder();
    const service = new KeyfileService(folder);
    await service.recipients("media", { create: true });
    writeFileSync(join(folder, "retail.key"), readFileSync(join(folder, "media.key")), { mode: 0o600 });
    await expect(service.recipients("retail", { create: true })).rejects.toMatchObject({
      code: "keyfile-invalid",
    });
  });
});

describe("several processes", () => {
  const program = (body: string): string => `
    const { KeyfileService } = await import(${JSON.stringify(join(import.meta.dirname, "keyfile-service.ts"))});
    const service = new KeyfileService(process.argv[1]);
    ${body}`;
  const start = async (folder: string, body: string): Promise<string> => {
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program(body), folder]);
    return stdout.trim();
  };

  test("that create a key at once agree on one", async () => {
    const folder = makeFolder();
    const body = `console.log(JSON.stringify(await service.recipients("retail", { create: true })));`;
    const answers = await Promise.all(Array.from({ length: 4 }, () => start(folder, body)));
    const parsed = answers.map(
      (text) => JSON.parse(text) as { recipients: { id: string }[]; created: boolean },
    );
    expect(new Set(parsed.map(({ recipients }) => recipients[0]?.id)).size).toBe(1);
    expect(parsed.filter(({ created }) => created).length).toBe(1);
    expect(readdirSync(folder)).toEqual(["retail.key"]);
  });

  test("that rotate at once lose no key", async () => {
    const folder = makeFolder();
    const service = new KeyfileService(folder);
    const wrapped = await wrapForAll(service, Buffer.alloc(32, 5));
    const body = `console.log((await service.rotate("retail")).keyId);`;
    const made = await Promise.all(Array.from({ length: 4 }, () => start(folder, body)));
    const text = await service.exportKeyfile("retail");
    for (const id of made) expect(text).toContain(`key: ${id}`);
    expect(text.match(/state: current/g)).toHaveLength(1);
    expect(await unwrap(service, wrapped)).toEqual(Buffer.alloc(32, 5));
  });
});

describe("rotation", () => {
  test("makes another current key and keeps the former ones for what they wrapped", async () => {
    const service = new KeyfileService(makeFolder());
    const key = randomBytes(32);
    const before = await wrapForAll(service, key);
    const { keyId } = await service.rotate("retail");
    const after = await wrapForAll(service, key);
    expect(after[0]?.id).toBe(keyId);
    expect(after[0]?.id).not.toBe(before[0]?.id);
    expect(await unwrap(service, before)).toEqual(key);
    expect(await unwrap(service, after)).toEqual(key);
  });

  test("makes no key where there is none", async () => {
    const service = new KeyfileService(makeFolder());
    await expect(service.rotate("retail")).rejects.toMatchObject({ code: "key-missing" });
    await expect(service.exportKeyfile("retail")).rejects.toMatchObject({ code: "key-missing" });
  });
});

describe("import", () => {
  test("brings a lost machine's keys back", async () => {
    const service = new KeyfileService(makeFolder());
    const key = randomBytes(32);
    const wrapped = await wrapForAll(service, key);
    await service.rotate("retail");
    const text = await service.exportKeyfile("retail");
    const folder = makeFolder();
    const newMachine = new KeyfileService(folder);
    const outcome = await newMachine.importKeyfile(text);
    expect(outcome).toMatchObject({ projectId: "retail", known: [] });
    expect(outcome.added).toHaveLength(2);
    expect(await unwrap(newMachine, wrapped)).toEqual(key);
    expect(await newMachine.exportKeyfile("retail")).toBe(text);
    expect(statSync(join(folder, "retail.key")).mode & 0o777).toBe(0o600);
  });

  test("is idempotent", async () => {
    const service = new KeyfileService(makeFolder());
    await service.recipients("retail", { create: true });
    const text = await service.exportKeyfile("retail");
    const outcome = await service.importKeyfile(text);
    expect(outcome.added).toEqual([]);
    expect(outcome.known).toHaveLength(1);
    expect(await service.exportKeyfile("retail")).toBe(text);
  });

  test("of an older copy does not make a former key current again", async () => {
    const service = new KeyfileService(makeFolder());
    await service.recipients("retail", { create: true });
    const older = await service.exportKeyfile("retail");
    const { keyId } = await service.rotate("retail");
    await service.importKeyfile(older);
    expect((await service.recipients("retail", { create: false })).recipients[0]?.id).toBe(keyId);
  });

  test("of a copy made after a rotation elsewhere takes the newer key", async () => {
    const service = new KeyfileService(makeFolder());
    await service.recipients("retail", { create: true });
    const elsewhere = new KeyfileService(makeFolder());
    await elsewhere.importKeyfile(await service.exportKeyfile("retail"));
    const { keyId } = await elsewhere.rotate("retail");
    await service.importKeyfile(await elsewhere.exportKeyfile("retail"));
    expect((await service.recipients("retail", { create: false })).recipients[0]?.id).toBe(keyId);
  });

  test("of another installation's key adds it, and the own key stays current", async () => {
    const [service, other] = [new KeyfileService(makeFolder()), new KeyfileService(makeFolder())];
    const key = randomBytes(32);
    const wrapped = await wrapForAll(other, key);
    const own = await service.recipients("retail", { create: true });
    await service.importKeyfile(await other.exportKeyfile("retail"));
    expect(await service.recipients("retail", { create: false })).toEqual({ ...own, created: false });
    expect(await unwrap(service, wrapped)).toEqual(key);
  });

  test("of a broken text changes nothing", async () => {
    const service = new KeyfileService(makeFolder());
    await service.recipients("retail", { create: true });
    const text = await service.exportKeyfile("retail");
    await expect(service.importKeyfile(text.replace("end", ""))).rejects.toMatchObject({
      code: "keyfile-invalid",
    });
    expect(await service.exportKeyfile("retail")).toBe(text);
  });
});

describe("the recovery key", () => {
  test("is a second recipient, which opens without the project's key", async () => {
    const service = new KeyfileService(makeFolder());
    await service.recipients("retail", { create: true });
    const { keyId, privateText } = await service.createRecoveryKey("retail");
    const key = randomBytes(32);
    const wrapped = await wrapForAll(service, key);
    expect(wrapped.map(({ kind }) => kind)).toEqual(["project", "recovery"]);
    expect(wrapped[1]?.id).toBe(keyId);
    const newMachine = new KeyfileService(makeFolder());
    expect(await newMachine.importKeyfile(privateText)).toMatchObject({ added: [`recovery ${keyId}`] });
    expect(await unwrap(newMachine, wrapped)).toEqual(key);
  });

  test("is not kept in the keyfile", async () => {
    const service = new KeyfileService(makeFolder());
    await service.recipients("retail", { create: true });
    const { privateText } = await service.createRecoveryKey("retail");
    const rows = privateText.split("\n").filter((line) => /^[1-4]: /.test(line));
    const text = await service.exportKeyfile("retail");
    expect(rows).toHaveLength(4);
    for (const row of rows) expect(text).not.toContain(row);
  });

  test("of which any byte was changed in the keyring opens nothing", async () => {
    const service = new KeyfileService(makeFolder());
    await service.recipients("retail", { create: true });
    const { privateText } = await service.createRecoveryKey("retail");
    const recovery = (await wrapForAll(service, randomBytes(32)))[1] as WrappedKey;
    const finder = new KeyfileService(makeFolder());
    await finder.importKeyfile(privateText);
    for (const member of ["wrapped", "ephemeralPublicKey"] as const) {
      const bytes = Buffer.from(recovery[member] as string, "base64");
      for (let at = 0; at < bytes.length; at += 1) {
        const changed = Buffer.from(bytes);
        changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
        const damaged = [{ ...recovery, [member]: changed.toString("base64") }];
        await expect(unwrap(finder, damaged)).rejects.toMatchObject({ code: "keyring-damaged" });
      }
    }
    const lowOrder = [{ ...recovery, ephemeralPublicKey: Buffer.alloc(32).toString("base64") }];
    await expect(unwrap(finder, lowOrder)).rejects.toMatchObject({ code: "keyring-damaged" });
  });

  test("imported on a new machine lets it make a project key of its own beside it", async () => {
    const service = new KeyfileService(makeFolder());
    await service.recipients("retail", { create: true });
    const { privateText } = await service.createRecoveryKey("retail");
    const wrapped = await wrapForAll(service, Buffer.alloc(32, 3));
    const newMachine = new KeyfileService(makeFolder());
    await newMachine.importKeyfile(privateText);
    await expect(newMachine.recipients("retail", { create: false })).rejects.toMatchObject({
      code: "key-missing",
    });
    expect(await newMachine.recipients("retail", { create: true })).toMatchObject({ created: true });
    expect(await unwrap(newMachine, wrapped)).toEqual(Buffer.alloc(32, 3));
  });

  test("is not made for a project without a key", async () => {
    const service = new KeyfileService(makeFolder());
    await expect(service.createRecoveryKey("retail")).rejects.toThrow(
      "A project that is new gets its key from its first backup.",
    );
  });
});
