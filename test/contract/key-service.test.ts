import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll } from "vitest";

import { KeyfileService } from "../../src/keys/keyfile/keyfile-service.ts";
import { describeKeyService } from "./key-service.contract.ts";

const folders: string[] = [];

describeKeyService("keyfile", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lc2-keys-"));
  folders.push(folder);
  return new KeyfileService(join(folder, "keys"));
});

afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));
