/** A machine whose administrator allows hooks a few things: scripts of its own, one URL, one secret. */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import { join } from "node:path";
import { openCommandLine, type CommandLine } from "./command-line.ts";

export interface HooksMachine extends AsyncDisposable {
  readonly machine: CommandLine;
  /** A folder with a file to back up. */
  readonly source: string;
  /** Where the hook `export` writes. */
  readonly exported: string;
  /** `on` and `off`, a line for each time the application was put into maintenance or taken out of it. */
  maintenance(): Promise<string[]>;
  /** The process of the worker that last ran `maintenance on`. */
  maintenanceWorker(): Promise<number>;
  /** Lets hooks with the command `gate NAME` end. */
  openGate(name: string): Promise<void>;
  /** Whether a hook waits at the gate. */
  isAtGate(name: string): Promise<boolean>;
  readonly receiver: { readonly url: string; readonly calls: readonly ReceivedCall[]; status: number };
}

export interface ReceivedCall {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export async function openHooksMachine(): Promise<HooksMachine> {
  const machine = await openCommandLine();
  const at = (name: string): string => join(machine.folder, name);
  await mkdir(at("source"));
  await writeFile(at("source/page.html"), "first");
  const script = async (name: string, lines: string): Promise<string> => {
    await writeFile(at(name), `#!/bin/sh\n${lines}\n`);
    await chmod(at(name), 0o755);
    return at(name);
  };
  const read = async (name: string): Promise<string> => await readFile(at(name), "utf8").catch(() => "");
  const receiver = await startReceiver();
  const policy = {
    commands: {
      export: {
        program: await script(
          "export.sh",
          `mkdir -p ${at("exported/sub")}; echo "site: $1" > ${at("exported/site.yml")}; ln -sf ../site.yml ${at("exported/sub/link")}
           echo "exported for $LC2_OPERATION with token $DEPLOY_TOKEN and $PGPASSWORD."`,
        ),
        arguments: ["--site=*"],
        environment: ["DEPLOY_TOKEN"],
      },
      maintenance: {
        program: await script(
          "maintenance.sh",
          `echo $1 >> ${at("maintenance")}; [ $1 = off ] || echo $PPID > ${at("maintenance-worker")}`,
        ),
        arguments: ["on", "off"],
      },
      gate: {
        program: await script(
          "gate.sh",
          `touch ${at("waits-")}$1; while [ ! -e ${at("gate-")}$1 ]; do sleep 0.05; done`,
        ),
        arguments: ["*"],
      },
      link: {
        program: await script("link.sh", `mkdir -p ${at("links")}; ln -sfn "$1" ${at("links/link")}`),
        arguments: ["*"],
      },
      // What it leaves running does not hear SIGTERM; a second run says whether the first one's is still there.
      linger: {
        program: await script(
          "linger.sh",
          `if [ -e ${at("lingering")} ]; then
             grep -s '^State' /proc/$(cat ${at("lingering")})/status | grep -qv Z && echo "still there" || echo "gone"
             exit 0
           fi
           trap '' TERM; sleep 300 & trap - TERM
           echo $! > ${at("lingering")}; wait`,
        ),
        arguments: [""],
      },
      fail: { program: await script("fail.sh", `echo "no such site" >&2; exit 3`), arguments: [""] },
      note: {
        program: await script("note.sh", `echo "$1 $LC2_OUTCOME" >> ${at("notes")}`),
        arguments: ["*"],
      },
    },
    urls: [`${receiver.url}/hooks/*`],
    statements: ["insert into hook_log *", "select *"],
    artifacts: [at("exported"), at("links"), at("links/link")],
    secrets: ["env:HOOK_TOKEN"],
  };
  await mkdir(at("data"));
  await writeFile(at("data/hooks.json"), JSON.stringify(policy));
  return {
    machine,
    source: at("source"),
    exported: at("exported"),
    maintenance: async () => (await read("maintenance")).split("\n").filter((line) => line !== ""),
    maintenanceWorker: async () => Number(await read("maintenance-worker")),
    openGate: async (name) => await writeFile(at(`gate-${name}`), ""),
    isAtGate: async (name) => {
      const found = await readFile(at(`waits-${name}`)).catch(() => undefined);
      return found !== undefined;
    },
    receiver,
    async [Symbol.asyncDispose]() {
      receiver.server.close();
      receiver.server.closeAllConnections();
      await machine[Symbol.asyncDispose]();
    },
  };
}

async function startReceiver(): Promise<HooksMachine["receiver"] & { readonly server: Server }> {
  const calls: ReceivedCall[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      const { method = "", url: path = "", headers } = request;
      calls.push({ method, path, headers, body });
      response.writeHead(receiver.status).end(`you said ${headers.authorization}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  const receiver = { url: `http://127.0.0.1:${port}`, calls, status: 202, server };
  return receiver;
}
