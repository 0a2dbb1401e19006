import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runInMemory } from "../../../test/support/memory-terminal.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lc2-hooks-option-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function backUpWith(yaml: string) {
  const file = join(folder, "hooks.yaml");
  await writeFile(file, yaml);
  return await runInMemory(["backup", "create", "--files", "/srv/dl", "--hooks", file]);
}

test("hooks of a whole request, as the requirements print it, go with the backup", async () => {
  const { exitCode, world } = await backUpWith(`
kind: BackupRequest
spec:
  database:
    type: postgresql
    preBackupHooks:
      - name: export-drupal-config
        command: |
          drush config:export --destination=/tmp/config-export
        storeArtifact: true
        artifactPath: /tmp/config-export
        timeout: 300
`);
  expect(exitCode).toBe(0);
  expect(JSON.stringify(world.calls)).toContain('"preBackupHooks":[{"name":"export-drupal-config"');
});

test("a file without hooks, or with a hook that is none, is refused before anything begins", async () => {
  const none = await backUpWith("spec: {}\n");
  expect(none.exitCode).not.toBe(0);
  expect(none.stderr).toContain("has no preBackupHooks");
  const wrong = await backUpWith("preBackupHooks: [{ name: a, comand: x }]\n");
  expect(wrong.exitCode).not.toBe(0);
  expect(wrong.stderr).toContain("comand");
  expect([...none.world.calls, ...wrong.world.calls]).toEqual([]);
});
