/**
 * `npm run check`: everything a tool can say about the tree without a server, in under a minute. Every
 * step runs whatever the earlier ones said; each is shown with its seconds, a failed one with its output.
 * The exit code is 0 only when all passed. `npm run check -- format lint` runs the named steps alone.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

interface Step {
  readonly name: string;
  /** Programs below `node_modules`, or our own scripts, run by this process's Node, one after the other. */
  readonly commands: readonly (readonly string[])[];
}

const steps: readonly Step[] = [
  { name: "format", commands: [["node_modules/oxfmt/bin/oxfmt", "--check"]] },
  {
    // What lint with type information needs is what finds wrong types: both at once, not each by itself.
    name: "lint and types",
    commands: [
      ["node_modules/oxlint/bin/oxlint", "--type-aware", "--type-check", "--format=unix"],
      ["scripts/check-escapes.ts"],
      // Core once more, where neither Node nor the DOM exists.
      ["node_modules/typescript/bin/tsc", "-p", "tsconfig.core.json"],
    ],
  },
  { name: "architecture", commands: [["scripts/check-architecture.ts"]] },
  { name: "unused", commands: [["node_modules/knip/bin/knip.js", "--no-progress"]] },
  { name: "generated", commands: [["scripts/generate.ts", "--check"]] },
  { name: "unit tests", commands: [["scripts/test.ts", "--project", "unit"]] },
];

const root = fileURLToPath(new URL("..", import.meta.url));

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !steps.some((step) => step.name.startsWith(name)));
if (unknown.length > 0) {
  console.error(
    `no such step: ${unknown.join(", ")} (there are: ${steps.map(({ name }) => name).join(", ")})`,
  );
  process.exit(2);
}

const failed: string[] = [];
let ran = 0;
for (const step of steps) {
  if (wanted.length > 0 && !wanted.some((name) => step.name.startsWith(name))) continue;
  ran += 1;
  const startedAt = performance.now();
  const { ok, output } = await runStep(step);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  if (!ok) {
    failed.push(step.name);
    console.log(output.trimEnd());
  }
  console.log(`${ok ? "ok    " : "FAILED"} ${step.name} (${seconds} s)`);
}
if (failed.length > 0) console.log(`failed: ${failed.join(", ")}`);
console.log(`check: ${String(ran - failed.length)} passed, ${String(failed.length)} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;

async function runStep(step: Step): Promise<{ ok: boolean; output: string }> {
  let ok = true;
  let output = "";
  for (const command of step.commands) {
    const child = spawn(process.execPath, command, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
    const code = await new Promise<number | null>((resolve) => {
      child.on("error", (error) => {
        output += error.message;
        resolve(null);
      });
      child.on("close", resolve);
    });
    if (code !== 0) ok = false;
  }
  return { ok, output };
}
