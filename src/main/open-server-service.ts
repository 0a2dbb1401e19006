import { readFile } from "node:fs/promises";
import { createHttpService } from "../client/http-service.ts";
import type { Lc2Service } from "../contract/service.ts";
import { Failure } from "../core/failure.ts";
import type { ServerPlace } from "./config.ts";

/** The service of the server that LC2_SERVER names. Connects when it is first asked for something. */
export async function openServerService({ url, apiKey, keyFile }: ServerPlace): Promise<Lc2Service> {
  if (!/^https?:\/\/[^/?#]+\/?$/.test(url) || !URL.canParse(url)) {
    throw new Failure(
      "usage",
      "The server (LC2_SERVER, `lc2 context`) must be http://host:port or https://host:port.",
    );
  }
  return createHttpService({ url, apiKey: apiKey ?? (await readKeyFile(keyFile)) });
}

async function readKeyFile(path: string | undefined): Promise<string> {
  try {
    if (path === undefined) throw new Error("No file is named.");
    return (await readFile(path, "utf8")).trim();
  } catch (cause) {
    throw new Failure(
      "unauthenticated",
      `The server needs an API key: set LC2_API_KEY, or LC2_API_KEY_FILE to a file that holds one` +
        `${path === undefined ? "" : ` (${path} cannot be read)`}. ` +
        "The server's first key is in admin.key in its data directory.",
      { cause },
    );
  }
}
