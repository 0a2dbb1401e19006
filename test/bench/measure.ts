/** Commands, measured by the kernel; peers and ours in turn; medians. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Measurement {
  readonly seconds: number;
  /** Of the command and all that it started and waited for. */
  readonly cpuSeconds: number;
  /** Peak resident memory of the largest single process among them (`wait4`, not sampling). */
  readonly peakBytes: number;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Where standard output goes; absent: it is returned. */
  readonly output?: string;
  readonly cwd?: string;
  /**
   * Runs it as the product runs its backup workers (nice 10). Where the product does so by itself, the peer
   * must be treated alike, or other work on the machine would decide the comparison.
   */
  readonly lowPriority?: boolean;
}

const measurePy = fileURLToPath(new URL("./measure.py", import.meta.url));

/** Runs a command to its end. Rejects, with the end of its standard error, when it does not exit with 0. */
export async function measure(
  command: readonly [string, ...string[]],
  options: CommandOptions = {},
): Promise<Measurement & { readonly stdout: string }> {
  const scratch = await mkdtemp(join(tmpdir(), "lc2-measure-"));
  try {
    const report = join(scratch, "report.json");
    const sink = await open(options.output ?? join(scratch, "stdout"), "w+");
    const child = spawn(
      "python3",
      [measurePy, report, options.lowPriority === true ? "10" : "0", ...command],
      {
        env: { ...process.env, ...options.env },
        stdio: ["ignore", sink.fd, "pipe"],
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      },
    );
    let stderr = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-4_000);
    });
    await once(child, "close");
    await sink.close();
    const measured = JSON.parse(await readFile(report, "utf8").catch(() => "{}")) as Partial<
      Measurement & { exitCode: number }
    >;
    const { seconds, cpuSeconds, peakBytes, exitCode } = measured;
    if (exitCode !== 0 || seconds === undefined || cpuSeconds === undefined || peakBytes === undefined) {
      throw new Error(`${command.join(" ")} ended with ${exitCode ?? "no report"}: ${stderr.trim()}`);
    }
    const stdout = options.output === undefined ? await readFile(join(scratch, "stdout"), "utf8") : "";
    return { seconds, cpuSeconds, peakBytes, stdout };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/**
 * Runs each variant once a round, every round beginning with another one, so that a busy minute of the
 * machine and a warm cache fall on all of them.
 */
export async function interleave<Name extends string, T>(
  rounds: number,
  variants: Readonly<Record<Name, (round: number) => Promise<T>>>,
  options: {
    readonly before?: (round: number) => Promise<void>;
    readonly onResult?: (name: Name, round: number, result: T) => void;
  } = {},
): Promise<Record<Name, T[]>> {
  const names = Object.keys(variants) as Name[];
  const results = Object.fromEntries(names.map((name) => [name, [] as T[]])) as Record<Name, T[]>;
  for (let round = 0; round < rounds; round++) {
    await options.before?.(round);
    const shift = round % names.length;
    for (const name of [...names.slice(shift), ...names.slice(0, shift)]) {
      const result = await variants[name](round);
      results[name].push(result);
      options.onResult?.(name, round, result);
    }
  }
  return results;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export const secondsOf = (measurements: readonly Measurement[]): number[] =>
  measurements.map((one) => one.seconds);
