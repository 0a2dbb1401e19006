/** Where a machine of the lab has its catalog and its repository. */
import { cp } from "node:fs/promises";
import { join } from "node:path";
import type { PostgresServer } from "../../demo/postgres-servers.ts";
import { probePrefix } from "../../src/core/repository/layout.ts";
import type { S3Server, TestBucket } from "../support/s3-servers.ts";
import { freshDatabase, urlWithPassword } from "../support/servers.ts";

export interface LabPlaces {
  readonly catalogs: Catalogs;
  readonly repositories: Repositories;
}

export interface Catalogs {
  /** An empty one. */
  open(): Promise<MachineCatalog>;
}

interface MachineCatalog {
  /** Leads the product to it. */
  readonly env: Readonly<Record<string, string>>;
  drop(): Promise<void>;
}

export interface Repositories {
  /** Size of a file that takes more than one request to store; absent where all are stored in the same way. */
  readonly largeFileBytes?: number;
  /** An empty one. */
  open(dataDirectory: string): Promise<MachineRepository>;
}

export interface MachineRepository {
  /** Makes it the product's default repository. */
  readonly env: Readonly<Record<string, string>>;
  /** All that this one holds, for another machine. */
  copy(dataDirectory: string): Promise<MachineRepository>;
  /** What the store itself says of what was begun and not ended: uploads, and what was only tried out. */
  listUnfinished(): Promise<string[]>;
  remove(): Promise<void>;
}

const nothingToDo = async (): Promise<void> => undefined;

/** In the machine's data directory, which is removed with the machine. */
export const inFiles: LabPlaces = {
  catalogs: { open: async () => ({ env: { DATABASE_URL: "" }, drop: nothingToDo }) },
  repositories: { open: async (dataDirectory) => openFolder(dataDirectory) },
};

function openFolder(dataDirectory: string): MachineRepository {
  const folder = join(dataDirectory, "repository");
  return {
    env: { LC2_REPOSITORY: folder },
    copy: async (other) => {
      await cp(folder, join(other, "repository"), { recursive: true });
      return openFolder(other);
    },
    listUnfinished: async () => [],
    remove: nothingToDo,
  };
}

export const inDatabases = (server: PostgresServer): Catalogs => ({
  open: async () => {
    const { owner, drop } = await freshDatabase(server, { ownerCreatesDatabases: false });
    return { env: { DATABASE_URL: urlWithPassword(owner) }, drop };
  },
});

/** The product makes a bucket that is not there. */
export const inBuckets = (server: S3Server): Repositories => ({
  largeFileBytes: 9 * 1024 * 1024,
  open: async () => openBucket(await server.freshBucket({ isMissing: true })),
});

function openBucket(bucket: TestBucket): MachineRepository {
  const { server, url } = bucket;
  return {
    env: { ...server.environment, LC2_REPOSITORY: url },
    copy: async () => {
      const other = await server.freshBucket();
      await other.copyFrom(bucket);
      return openBucket(other);
    },
    listUnfinished: async () => [...(await bucket.uploads()), ...(await bucket.keys(probePrefix))],
    remove: async () => await bucket.remove(),
  };
}
