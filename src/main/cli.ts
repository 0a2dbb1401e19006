/**
 * `lc2`: the command line on the in-process engine. Loads what a command needs when it needs it, so that
 * `lc2 --help` answers at once.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import lc2Package from "../../package.json" with { type: "json" };
import { commandTree } from "../cli/command-tree.ts";
import type { CliHost, DoctorCheck } from "../cli/host.ts";
import { runCommandLine } from "../cli/program.ts";
import { Failure } from "../core/failure.ts";
import { readConfig, readEnvironment } from "./config.ts";
import { openContexts } from "./contexts.ts";
import { loadCatalog } from "./open-catalog.ts";
import { openProcessTerminal } from "./process-terminal.ts";

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
type CancelSignal = keyof typeof signalNumbers;
const cancelSignals = Object.keys(signalNumbers) as CancelSignal[];

function createHost(): CliHost {
  const env = readEnvironment();
  const contexts = openContexts(env);
  const configFor = (wish: string | undefined) =>
    readConfig(wish === undefined ? {} : { dataDirectory: wish }, env, contexts);
  return {
    version: lc2Package.version,
    terminal: openProcessTerminal(env),
    nowMs: () => Date.now(),
    get usesServer() {
      return configFor(undefined).server !== undefined;
    },
    contexts,
    dataDirectory: (wish) => configFor(wish).dataDirectory,
    openService: async ({ dataDirectory, onNotice }) => {
      const config = configFor(dataDirectory);
      const { server } = config;
      if (server !== undefined) {
        const { openServerService } = await import("./open-server-service.ts");
        return await openServerService(server);
      }
      const [{ openService }, openCatalog] = await Promise.all([
        import("./service.ts"),
        loadCatalog(config.catalog),
      ]);
      return openService(config, openCatalog, { onNotice });
    },
    cancelOnSignal,
    diagnose: async ({ dataDirectory }) => await diagnoseInChild(dataDirectory),
    runDemo: async ({ keep }) => {
      const demo = await startProgram<DemoProgram>(new URL("../../demo/run-demo.ts", import.meta.url));
      return (await demo.runDemo({ keep })) ?? 0;
    },
    serve: async (wish) => {
      const { serve } = await import("./serve.ts");
      await serve({ ...wish, version: lc2Package.version }, configFor(wish.dataDirectory));
    },
    runWorker: async () => {
      await startProgram<object>(new URL("./worker.ts", import.meta.url));
    },
  };
}

interface DemoProgram {
  runDemo(options: { keep: boolean }): Promise<number | void>;
}

/**
 * Starts another program of ours inside this process. The command line takes nothing from these programs
 * and they nothing from it: the layer rule that keeps bytes of backups out of the command line stays whole,
 * because a process that became a worker is a worker and nothing else.
 */
async function startProgram<T>(program: URL): Promise<T> {
  return (await import(program.href)) as T;
}

function cancelOnSignal(controller: AbortController): void {
  const onSignal = (signal: CancelSignal): void => {
    // The second time somebody wants it to end now. Workers end within seconds of losing their parent, and the
    // next lc2 tidies up after them.
    if (controller.signal.aborted) process.exit(128 + signalNumbers[signal]);
    controller.abort(new Failure("cancelled", "Cancelled."));
  };
  for (const signal of cancelSignals) process.on(signal, onSignal);
}

/** In a process of its own: it looks at client tools and files that the command line itself does not touch. */
async function diagnoseInChild(dataDirectory: string): Promise<readonly DoctorCheck[]> {
  const program = fileURLToPath(new URL("./doctor.ts", import.meta.url));
  const child = spawn(process.execPath, [program, dataDirectory], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0)
    throw new Failure("internal", `The program that looks at the machine ended with ${String(code)}.`);
  return JSON.parse(output) as DoctorCheck[];
}

async function main(): Promise<void> {
  const host = createHost();
  const words = process.argv.slice(2);
  // A worker must not wait for what only a person needs, and lives on after this function.
  if (words[0] === "worker" && words.length === 1) {
    await host.runWorker();
    return;
  }
  const exitCode = await runCommandLine(words, commandTree, host);
  // What is left open (a pool, a timer) must not keep the terminal waiting. Pipes and files are written
  // synchronously on Linux and macOS; the callbacks wait for other systems.
  await Promise.all(
    [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write("", resolve))),
  );
  process.exit(exitCode);
}

await main();
