/**
 * Real S3 servers on free loopback ports, in temporary folders. Each dies with the process that started it,
 * however that one dies.
 */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { createServer, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { until } from "./until.ts";

const run = promisify(execFile);

/** The `-tls` ones answer on `https://localhost` with the certificate of test/fixtures/tls. */
export type S3ServerKind = "versitygw" | "minio" | "moto" | "versitygw-tls" | "minio-tls";

export const s3ServerKinds: readonly S3ServerKind[] = [
  "versitygw",
  "minio",
  "moto",
  "versitygw-tls",
  "minio-tls",
];

/** Credentials, the same on every server, so that one environment reaches any two of them. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export const rootCredentials: S3Credentials = {
  accessKeyId: "lc2-root",
  secretAccessKey: "lc2-root-secret-of-tests",
};

/** Second user; may do nothing but what a bucket's policy allows. On versitygw only. */
export const guestCredentials: S3Credentials = {
  accessKeyId: "lc2-guest",
  secretAccessKey: "lc2-guest-secret-of-tests",
};

/** Authority that signed the certificates of the servers with TLS. */
export const testAuthorityFile = fixture("root.crt");

export interface S3ServerAddress {
  readonly kind: S3ServerKind;
  /** `http://127.0.0.1:PORT` or `https://localhost:PORT` */
  readonly endpoint: string;
}

export interface RunningS3Server extends S3ServerAddress {
  /** Folder with the server's data and its log. */
  readonly directory: string;
  /** Ends the server and removes its folder. Idempotent. */
  stop(): Promise<void>;
}

/** Installs the server if need be (minutes, once) and resolves when it answers. */
export async function startS3Server(kind: S3ServerKind): Promise<RunningS3Server> {
  const program = await installServer(nameOf(kind));
  for (let attempt = 1; ; attempt++) {
    try {
      return await launch(kind, program);
    } catch (error) {
      // Another process may have taken the port between our look and the server's start.
      if (attempt === 3) throw error;
    }
  }
}

/** Where install-servers.sh put a program (moto: a folder for PYTHONPATH). */
export async function installServer(name: "versitygw" | "minio" | "moto" | "rclone"): Promise<string> {
  const script = fileURLToPath(new URL("install-servers.sh", import.meta.url));
  const { stdout } = await run("sh", [script, name]).catch((error: unknown) => {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : String(error);
    throw new Error(`${name} is needed and cannot be installed: ${said}`);
  });
  const place = stdout.trim().split("\t")[1];
  if (place === undefined) throw new Error(`install-servers.sh did not say where ${name} is`);
  return place;
}

const nameOf = (kind: S3ServerKind): "versitygw" | "minio" | "moto" =>
  kind === "moto" ? "moto" : kind.startsWith("minio") ? "minio" : "versitygw";

interface StartPlan {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly endpoint: string;
  /** Answers when the server is ready. */
  readonly readyPath: string;
}

async function launch(kind: S3ServerKind, program: string): Promise<RunningS3Server> {
  const directory = await mkdtemp(join(tmpdir(), `lc2-${kind}-`));
  const plan = await planStart(kind, program, directory, await freePort());
  const guard = await spawnGuarded(plan, directory);
  const stop = async (): Promise<void> => {
    if (guard.exitCode === null && guard.signalCode === null) {
      const exited = once(guard, "exit");
      guard.ref();
      guard.stdin?.end();
      await exited;
    }
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await until(`${kind} answers`, async () => {
      if (guard.exitCode !== null) throw new Error(`${kind} ended at once`);
      return answers(plan);
    });
    if (kind === "versitygw") await createGuest(program, plan.endpoint);
  } catch (error) {
    const log = await readFile(join(directory, "server.log"), "utf8").catch(() => "");
    await stop();
    throw new Error(`${kind} did not start. Its log ends: ${log.slice(-2000)}`, { cause: error });
  }
  guard.unref();
  if (guard.stdin instanceof Socket) guard.stdin.unref();
  return { kind, endpoint: plan.endpoint, directory, stop };
}

async function planStart(
  kind: S3ServerKind,
  program: string,
  directory: string,
  port: number,
): Promise<StartPlan> {
  const { accessKeyId, secretAccessKey } = rootCredentials;
  const withTls = kind.endsWith("-tls");
  const endpoint = withTls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
  const address = `127.0.0.1:${port}`;
  const folder = async (name: string): Promise<string> => {
    await mkdir(join(directory, name));
    return join(directory, name);
  };
  switch (nameOf(kind)) {
    case "versitygw": {
      const general = ["--port", address, "--quiet", "--keep-alive", "--iam-dir", await folder("iam")];
      const tls = withTls ? ["--cert", fixture("server.crt"), "--key", fixture("server.key")] : [];
      const posix = ["posix", "--versioning-dir", await folder("versions"), await folder("data")];
      return {
        command: [program, ...general, ...tls, ...posix],
        environment: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
        endpoint,
        readyPath: "/",
      };
    }
    case "minio": {
      const certificates = await folder("certificates");
      if (withTls) {
        await copyFile(fixture("server.crt"), join(certificates, "public.crt"));
        await copyFile(fixture("server.key"), join(certificates, "private.key"));
      }
      const options = ["--quiet", "--address", address, "--certs-dir", certificates];
      return {
        command: [program, "server", ...options, await folder("data")],
        environment: {
          MINIO_ROOT_USER: accessKeyId,
          MINIO_ROOT_PASSWORD: secretAccessKey,
          MINIO_BROWSER: "off",
          // Any 32 bytes: with a key the server can encrypt, as `encryption: server` needs.
          MINIO_KMS_SECRET_KEY: `lc2:${Buffer.alloc(32, 7).toString("base64")}`,
          HOME: directory,
        },
        endpoint,
        // `ready` says so before it takes a request.
        readyPath: "/minio/health/cluster",
      };
    }
    case "moto":
      return {
        command: ["python3", "-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)],
        environment: { PYTHONPATH: program, PYTHONDONTWRITEBYTECODE: "1" },
        endpoint,
        readyPath: "/moto-api/",
      };
  }
}

/**
 * A shell between us and the server: at the end of its input, which is our death or our wish, it ends the
 * server and removes the folder `$1`.
 */
const guardian = `
folder=$1; shift
trap '' INT HUP TERM
exec 3<&0
"$@" </dev/null >>"$folder/server.log" 2>&1 3<&- &
server=$!
(
  cat <&3 >/dev/null
  kill -TERM "$server"
  tries=0
  while kill -0 "$server" 2>/dev/null && [ "$tries" -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -KILL "$server"
) >/dev/null 2>&1 &
reader=$!
exec 3<&-
wait "$server"
kill -KILL "$reader" 2>/dev/null
rm -rf -- "$folder"
`;

async function spawnGuarded(plan: StartPlan, directory: string): Promise<ChildProcess> {
  // The guard removes the folder; the log is made here, so that a server that cannot run leaves one.
  await (await open(join(directory, "server.log"), "a")).close();
  const guard = spawn("/bin/sh", ["-c", guardian, "lc2-s3-server", directory, ...plan.command], {
    cwd: directory,
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: directory, TZ: "UTC", ...plan.environment },
    detached: true, // Ctrl-C in a terminal goes to the whole process group; the server's end is ours to choose
    stdio: ["pipe", "ignore", "ignore"],
  });
  await once(guard, "spawn");
  guard.stdin?.on("error", () => undefined);
  return guard;
}

/** Any HTTP answer of the plan's path; for minio only a good one. */
async function answers(plan: StartPlan): Promise<boolean> {
  const { request } = plan.endpoint.startsWith("https:")
    ? await import("node:https")
    : await import("node:http");
  const ca = await readFile(testAuthorityFile);
  return new Promise((resolve) => {
    const asked = request(plan.endpoint + plan.readyPath, { ca, agent: false }, (response) => {
      response.resume();
      resolve(plan.readyPath === "/" || response.statusCode === 200);
    });
    asked.on("error", () => resolve(false));
    asked.end();
  });
}

async function createGuest(program: string, endpoint: string): Promise<void> {
  const { accessKeyId, secretAccessKey } = rootCredentials;
  const admin = ["admin", "--access", accessKeyId, "--secret", secretAccessKey, "--endpoint-url", endpoint];
  const { accessKeyId: access, secretAccessKey: secret } = guestCredentials;
  await run(program, [...admin, "create-user", "--access", access, "--secret", secret, "--role", "user"]);
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port for a loopback listener");
  return address.port;
}

function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));
}
