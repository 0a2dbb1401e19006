import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

/**
 * A checkout with the real `bin/lc2` and `scripts/setup.sh`, and an `npm` that installs at once: its Node is
 * a script that tells its process id and arguments.
 */
let root: string;
const systemPath = "/usr/bin:/bin";

const program = '#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "$$ $*"\n';
const npm = `#!/bin/sh
echo "$*" >> npm-calls
echo "npm speaks"
sleep 0.3
rm -rf node_modules
mkdir -p node_modules/node/bin
printf '${program.replaceAll("\n", "\\n")}' > node_modules/node/bin/node
chmod +x node_modules/node/bin/node
`;

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "lc2-first-use-")));
  for (const folder of ["bin", "scripts", "path", "elsewhere"]) await mkdir(join(root, folder));
  for (const file of ["bin/lc2", "scripts/setup.sh", "package-lock.json"]) {
    await copyFile(fileURLToPath(new URL(`../${file}`, import.meta.url)), join(root, file));
  }
  await writeFile(join(root, "path/npm"), npm, { mode: 0o755 });
  await symlink(process.execPath, join(root, "path/node"));
});

afterEach(() => rm(root, { recursive: true, force: true }));

async function start(file = join(root, "bin/lc2"), path = `${join(root, "path")}:${systemPath}`) {
  const child = spawn(file, ["backup", "list", "a  b"], {
    cwd: join(root, "elsewhere"),
    env: { PATH: path },
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { pid: child.pid, code: child.exitCode, stdout, stderr };
}

const npmCalls = async () => (await readFile(join(root, "npm-calls"), "utf8")).trim().split("\n");

test("the first start installs, says so on standard error only, and becomes the program", async () => {
  const { pid, code, stdout, stderr } = await start();
  expect(stdout).toBe(`${String(pid)} ${root}/src/main/cli.ts backup list a  b\n`);
  expect(stderr).toContain("first use");
  expect(stderr).toContain("npm speaks");
  expect(code).toBe(0);
});

test("later starts run no npm and say nothing, also through a chain of links", async () => {
  await start();
  await symlink("../bin/lc2", join(root, "elsewhere/relative"));
  await symlink(join(root, "elsewhere/relative"), join(root, "absolute"));
  const { stdout, stderr } = await start(join(root, "absolute"));
  expect(stdout).toContain(`${root}/src/main/cli.ts`);
  expect(stderr).toBe("");
  expect(await npmCalls()).toHaveLength(1);
});

test("two first starts at once install once, and both run", async () => {
  const both = await Promise.all([start(), start()]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  expect(await npmCalls()).toHaveLength(1);
});

test("another lockfile installs again; the same one with a later time does not", async () => {
  await start();
  const later = new Date(Date.now() + 60_000);
  await utimes(join(root, "package-lock.json"), later, later);
  expect((await start()).stderr).toBe("");
  await writeFile(join(root, "package-lock.json"), "{}");
  await utimes(join(root, "package-lock.json"), later, later);
  expect((await start()).stderr).toContain("npm speaks");
  expect(await npmCalls()).toHaveLength(2);
});

test("a failed installation is said, ends with 1 and is tried again by the next start", async () => {
  await writeFile(join(root, "path/npm"), "#!/bin/sh\nexit 7\n", { mode: 0o755 });
  const failed = await start();
  expect(failed.code).toBe(1);
  expect(failed.stdout).toBe("");
  expect(failed.stderr).toContain("npm ci failed");
  await writeFile(join(root, "path/npm"), npm, { mode: 0o755 });
  expect((await start()).code).toBe(0);
});

test("without Node.js or npm the message says which is missing and where to get it", async () => {
  const tools = join(root, "tools");
  await mkdir(tools);
  for (const tool of ["sh", "dirname", "cmp"]) await symlink(`/usr/bin/${tool}`, join(tools, tool));
  const without = await start(undefined, tools);
  expect(without.code).toBe(1);
  expect(without.stderr).toContain("Node.js is not installed");
  await symlink(process.execPath, join(tools, "node"));
  expect((await start(undefined, tools)).stderr).toContain("npm is not installed");
});
