/**
 * The process that keeps the shared test servers. It answers on a loopback port, so that test files, each in
 * a process of its own, share one PostgreSQL server per major and one S3 server per kind, started when the
 * first of them asks.
 */
import { createServer, type ServerResponse } from "node:http";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import {
  ensurePostgresServers,
  startPostgres,
  type PostgresInstallation,
  type RunningPostgres,
} from "../../demo/postgres-servers.ts";
import {
  s3ServerKinds,
  startS3Server,
  type RunningS3Server,
  type S3ServerAddress,
  type S3ServerKind,
} from "./start-s3-server.ts";

export interface ServerKeeper {
  readonly address: string;
  /** Versions of the PostgreSQL servers that were asked for, oldest first. */
  usedVersions(): readonly string[];
  stop(): Promise<void>;
}

/** What `GET /server/<major>` answers. */
export interface SharedServerAddress {
  readonly installation: PostgresInstallation;
  readonly port: number;
  readonly password: string;
}

/** Starts answering; installs and starts nothing yet. */
export async function startServerKeeper(): Promise<ServerKeeper> {
  let installations: Promise<PostgresInstallation[]> | undefined;
  const servers = new Map<number, Promise<RunningPostgres>>();
  const installed = () => (installations ??= ensurePostgresServers({ log: (line) => console.error(line) }));

  const startOnce = (major: number): Promise<RunningPostgres> => {
    let server = servers.get(major);
    if (server === undefined) {
      server = installed().then((all) => {
        const installation = all.find((one) => one.major === major);
        if (installation === undefined) throw new Error(`PostgreSQL ${major} is not available here`);
        return startPostgres(installation, { settings: sharedServerSettings() });
      });
      servers.set(major, server);
    }
    return server;
  };

  const s3Servers = new Map<S3ServerKind, Promise<RunningS3Server>>();
  const startS3Once = (kind: S3ServerKind): Promise<RunningS3Server> => {
    const server = s3Servers.get(kind) ?? startS3Server(kind);
    s3Servers.set(kind, server);
    return server;
  };

  const answer = async (path: string): Promise<unknown> => {
    if (path === "/installations") return installed();
    const s3Kind = s3ServerKinds.find((kind) => path === `/s3/${kind}`);
    if (s3Kind !== undefined) {
      const { kind, endpoint } = await startS3Once(s3Kind);
      return { kind, endpoint } satisfies S3ServerAddress;
    }
    const major = /^\/server\/(\d+)$/.exec(path)?.[1];
    if (major === undefined) throw new Error(`no such path: ${path}`);
    const { installation, port, password } = await startOnce(Number(major));
    return { installation, port, password } satisfies SharedServerAddress;
  };

  const http = createServer((request, response) => {
    answer(request.url ?? "").then(
      (body) => reply(response, 200, body),
      (error: unknown) => reply(response, 500, error instanceof Error ? error.message : String(error)),
    );
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const address = http.address();
  if (address === null || typeof address === "string")
    throw new Error("no port for the keeper of test servers");

  const used: string[] = [];
  return {
    address: `http://127.0.0.1:${address.port}`,
    usedVersions: () => used,
    stop: async () => {
      const running = await startedOf(servers);
      used.push(...running.sort((a, b) => a.installation.major - b.installation.major).map(versionOf));
      await Promise.all([
        ...running.map((server) => server.stop("immediate")),
        ...(await startedOf(s3Servers)).map((server) => server.stop()),
      ]);
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

async function startedOf<Server>(servers: ReadonlyMap<unknown, Promise<Server>>): Promise<Server[]> {
  const settled = await Promise.allSettled(servers.values());
  return settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
}

const versionOf = (server: RunningPostgres): string => server.installation.version;

/** Logical decoding for tests with publications and slots; memory for several servers on a small machine. */
function sharedServerSettings(): Record<string, string> {
  return {
    wal_level: "logical",
    max_connections: "200",
    max_prepared_transactions: "10",
    max_parallel_workers: String(availableParallelism()),
  };
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
