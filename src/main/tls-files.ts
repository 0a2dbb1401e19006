import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Failure } from "../core/failure.ts";
import type { TlsFiles } from "../http/app.ts";

/** Certificates are renewed once in weeks; a new one is used within this time. */
const lookMs = 5_000;

export interface TlsPaths {
  readonly cert: string;
  readonly key: string;
}

/** Rejects with `listen-failed` when they cannot be read, or do not belong together. */
export async function readTlsFiles(paths: TlsPaths): Promise<TlsFiles> {
  const [cert, key] = await Promise.all([readOne(paths.cert), readOne(paths.key)]);
  if (isPair(cert, key)) return { cert, key };
  throw new Failure(
    "listen-failed",
    `${paths.key} is not the private key of the certificate in ${paths.cert}.`,
  );
}

/** OpenSSL takes a certificate and a key of two kinds together, and then has no certificate to show. */
function isPair(cert: Buffer, key: Buffer): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

async function readOne(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Failure("listen-failed", `The file for TLS cannot be read: ${reason}.`, { cause });
  }
}

/** Calls `replace` when the files have changed; what is wrong with new ones is told, and the old ones stay. */
export function watchTlsFiles(
  paths: TlsPaths,
  first: TlsFiles,
  options: { readonly replace: (files: TlsFiles) => void; readonly onProblem: (message: string) => void },
): { stop(): void } {
  let current = first;
  let told = "";
  const look = async (): Promise<void> => {
    try {
      const files = await readTlsFiles(paths);
      if (files.cert.equals(current.cert) && files.key.equals(current.key)) return;
      options.replace(files);
      current = files;
      told = "";
    } catch (error) {
      // In the moment between the two files they do not fit; said once, and tried again.
      const { message } = Failure.from(error);
      if (message !== told) options.onProblem(`The new TLS certificate is not used: ${message}`);
      told = message;
    }
  };
  const timer = setInterval(() => void look(), lookMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
