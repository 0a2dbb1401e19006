/** A real `lc2 serve` in a process of its own, and calls of it as a stranger would make them. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CommandLine, RunningCommand } from "./command-line.ts";
import { until } from "./until.ts";

export interface Lc2Server {
  readonly url: string;
  readonly adminKey: string;
  readonly command: RunningCommand;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  stop(): Promise<void>;
}

export interface CallOptions {
  /** Absent: the admin's; null: none. */
  readonly key?: string | null;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** An empty object where the body is no JSON. */
  readonly json: Readonly<Record<string, unknown>>;
}

export async function startLc2Server(
  machine: CommandLine,
  options: { readonly words?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Lc2Server> {
  const words = ["serve", "--listen", "127.0.0.1:0", ...(options.words ?? [])];
  const command = machine.start(words, options.env);
  let ended = false;
  void command.ended().then(() => (ended = true));
  const address = (): string | undefined => /Listening at (https?:\/\/[^ "]+)\./.exec(command.text())?.[1];
  await until("the server listens", () => ended || address() !== undefined);
  const url = address();
  if (url === undefined) throw new Error(`lc2 serve ended: ${command.text()}`);
  const adminKey = (await readFile(join(machine.folder, "data/admin.key"), "utf8")).trim();
  return {
    url,
    adminKey,
    command,
    call: async (method, path, { key = adminKey, body, headers = {} } = {}) => {
      const response = await fetch(new URL(path, url), {
        method,
        headers: {
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = /json/.test(response.headers.get("content-type") ?? "") && text !== "";
      const json = isJson ? (JSON.parse(text) as Record<string, unknown>) : {};
      return { status: response.status, headers: response.headers, text, json };
    },
    stop: async () => {
      command.child.kill("SIGTERM");
      await command.ended();
    },
  };
}
