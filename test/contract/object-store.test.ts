import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { openFilesystemStore } from "../../src/stores/filesystem/filesystem-store.ts";
import { MemoryStore } from "../../src/stores/memory/memory-store.ts";
import { objectStoreContract } from "./object-store.contract.ts";

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

objectStoreContract("memory", async () => new MemoryStore());
objectStoreContract("filesystem", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lc2-store-"));
  folders.push(folder);
  return openFilesystemStore(folder);
});
