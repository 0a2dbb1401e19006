import { Failure } from "../../core/failure.ts";
import { defineCommand, flag, optionalOperand } from "../command.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ExitCode } from "../exit-codes.ts";
import { oneOf } from "../option-values.ts";

export const doctorCommand = defineCommand({
  name: "doctor",
  summary: "look at this machine: what is needed, what is there, how to put it right",
  output: ["table", "json", "yaml"],
  arguments: {},
  options: {},
  run: async (context) => {
    const checks = await context.host.diagnose({ dataDirectory: context.dataDirectory });
    const { showDoctor } = await import("../pages/doctor.ts");
    context.print({ checks }, () => showDoctor(checks, context.paint));
    return checks.some(({ state }) => state === "failed") ? exitCodes.failed : exitCodes.done;
  },
});

export const demoCommand = defineCommand({
  name: "demo",
  summary: "show the main job on real parts: back up, destroy, restore, prove, undo",
  description: "Starts a throw-away PostgreSQL with made-up data and leaves nothing behind.",
  arguments: {},
  options: { keep: flag("--keep", "leave the throw-away server and data up to play with") },
  run: async (context, { options: { keep } }): Promise<ExitCode> => {
    const code = await context.host.runDemo({ keep });
    return code === 0 ? exitCodes.done : exitCodes.failed;
  },
});

const shells = ["bash", "zsh", "fish"] as const;

export const completionCommand = defineCommand({
  name: "completion",
  summary: "print the completion script for a shell",
  examples: [
    {
      command: "lc2 completion bash > ~/.local/share/bash-completion/completions/lc2",
      says: "bash, from the next shell on",
    },
    { command: 'lc2 completion zsh > "${fpath[1]}/_lc2"', says: "zsh" },
    { command: "lc2 completion fish > ~/.config/fish/completions/lc2.fish", says: "fish" },
  ],
  arguments: {
    shell: {
      ...optionalOperand("<shell>", shells.join(", "), oneOf(...shells), { complete: shells }),
    },
  },
  options: {},
  check: ({ arguments: { shell } }) =>
    shell === undefined
      ? [{ subject: "<shell>", code: "usage", message: `must be given: ${shells.join(", ")}` }]
      : [],
  run: async (context, { arguments: { shell = "bash" } }) => {
    const { completionScript } = await import("../completion.ts");
    context.out.write(completionScript(shell, context.tree));
  },
});

export const versionCommand = defineCommand({
  name: "version",
  summary: "print the version",
  output: ["table", "json", "yaml"],
  arguments: {},
  options: {},
  run: async (context) => {
    const { version } = context.host;
    context.print(
      { version, node: process.versions.node },
      () => `lc2 ${version} (Node.js ${process.versions.node})\n`,
    );
    await Promise.resolve();
  },
});

export const workerCommand = defineCommand({
  name: "worker",
  summary: "serve one task on standard input; started by lc2 itself",
  hidden: true,
  arguments: {},
  options: {},
  run: async () => {
    // `src/main/cli.ts` starts a worker before any of this; with further words it is a mistake.
    await Promise.reject(
      new Failure("usage", "A worker is started by lc2 itself, as `lc2 worker` without any option."),
    );
  },
});
