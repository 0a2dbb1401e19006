import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { ProblemDocument } from "../contract/rest/problem.ts";
import type { Lc2Service } from "../contract/service.ts";
import type { BrowseBackupResult, BrowseItem } from "../contract/worker-task.ts";
import type { WorkerOutput } from "../core/ports/worker-launcher.ts";
import { Failure } from "../core/failure.ts";
import { placeOf } from "./call-parts.ts";
import { toFailure, type HttpConnection } from "./http-connection.ts";
import { read } from "./pages.ts";

/** What a backup holds, streamed: neither a list nor a file is ever in memory as a whole. */
export function createContentCalls(
  http: HttpConnection,
): Pick<Lc2Service, "browseBackup" | "downloadBackup"> {
  return {
    browseBackup: async (reference, pattern, onItem, { signal }) => {
      const { path, query } = placeOf(reference, "/contents");
      for await (const line of http.lines({ ...read, path, query: { ...query, pattern } }, signal)) {
        const value = JSON.parse(line) as ContentLine;
        if (value.type === "problem") throw toFailure(value.problem);
        if (value.type === "end") {
          const { type: _, ...totals } = value;
          return totals;
        }
        await onItem(value);
      }
      throw http.unreachable("the list ended before its end");
    },

    downloadBackup: async (reference, filePath, output, { signal }) => {
      const { path, query } = placeOf(reference, "/download");
      const sink = openSink(output);
      const sha256 = createHash("sha256");
      let bytes = 0;
      try {
        for await (const piece of http.bytes(
          { ...read, path, query: { ...query, path: filePath } },
          signal,
        )) {
          sha256.update(piece);
          bytes += piece.length;
          await sink.write(piece);
        }
      } finally {
        await sink.end();
      }
      return { bytes, sha256: sha256.digest("hex") };
    },
  };
}

type ContentLine =
  | BrowseItem
  | ({ readonly type: "end" } & BrowseBackupResult)
  | { readonly type: "problem"; readonly problem: ProblemDocument };

interface Sink {
  write(piece: Uint8Array): Promise<void>;
  end(): Promise<void>;
}

/** A descriptor stays open: it is the caller's. */
function openSink(output: WorkerOutput): Sink {
  if (typeof output === "function") return { write: output, end: async () => await Promise.resolve() };
  const stream = createWriteStream("", { fd: output, autoClose: false });
  // Told by the write that met it.
  stream.on("error", () => undefined);
  return {
    write: async (piece) =>
      await new Promise((resolve, reject) => {
        stream.write(piece, (error) => (error ? reject(describeWriteError(error)) : resolve()));
      }),
    end: async () => {
      stream.end();
      await finished(stream).catch(() => undefined);
    },
  };
}

function describeWriteError(cause: NodeJS.ErrnoException): Failure {
  if (cause.code === "EPIPE") return new Failure("cancelled", "Whoever read the download stopped reading.");
  if (cause.code === "ENOSPC") {
    return new Failure("disk-full", "There is no space left where the download is written.", { cause });
  }
  return new Failure("store-failed", `The download cannot be written: ${cause.message}.`, { cause });
}
