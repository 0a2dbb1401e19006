import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Where backups are kept when no repository is named. */
export const defaultRepository = (dataDirectory: string): string =>
  pathToFileURL(join(dataDirectory, "repository")).href;
