/** What the process that the command line runs in does for it. `src/main/cli.ts` makes the real one. */
import type { Lc2Service, LogLine } from "../contract/service.ts";
import type { ContextStore } from "./contexts.ts";
import type { Terminal } from "./terminal.ts";

export interface CliHost {
  /** Of this software, e.g. "0.1.0". */
  readonly version: string;
  readonly terminal: Terminal;
  /** LC2_SERVER, or the saved context in use, names a server that does the work. Throws where contexts cannot be read. */
  readonly usesServer: boolean;
  readonly contexts: ContextStore;
  readonly nowMs: () => number;
  /** Absolute path of the data directory; `wish` is what `--data-dir` says. */
  dataDirectory(wish: string | undefined): string;
  /** The service, in this process or of a server; `onNotice` is told what it found and did that nobody asked for. */
  openService(options: { dataDirectory: string; onNotice: (line: LogLine) => void }): Promise<Lc2Service>;
  /** From now on the first Ctrl-C (SIGTERM, SIGHUP) aborts `controller`, the second ends the process at once. */
  cancelOnSignal(controller: AbortController): void;
  /** Looks at the machine. Never rejects because of what it finds. */
  diagnose(options: { dataDirectory: string }): Promise<readonly DoctorCheck[]>;
  /** Resolves with the demo's exit code. */
  runDemo(options: { keep: boolean }): Promise<number>;
  /** Serves until a signal ends it; logs on standard output. */
  serve(options: ServeWish): Promise<void>;
  /** Becomes a worker: serves one task on standard input. */
  runWorker(): Promise<void>;
}

export interface ServeWish {
  readonly dataDirectory: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Where metrics are shown without an API key, beside the listener proper. */
  readonly metricsListen?: { readonly host: string; readonly port: number };
  /** Beyond loopback without TLS, because something in front of it speaks TLS. */
  readonly insecure: boolean;
  /** API keys for some projects may name any place that the server can reach. */
  readonly trustOperators: boolean;
  /** What becomes of running operations after a signal. */
  readonly onStop: "wait" | "handover" | "end";
  /** How long they are given then. */
  readonly drainSeconds: number;
}

export interface DoctorCheck {
  readonly name: string;
  /** `failed`: something needed is wrong; `warning`: works, with a limit. */
  readonly state: "ok" | "warning" | "failed";
  readonly finding: string;
  /** What to do; always there unless `ok`. */
  readonly fix?: string;
}
