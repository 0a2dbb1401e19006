import type { EncryptionMode, ServerEncryption } from "./encryption.ts";

/**
 * `metadata.json`: what a backup is, written last and once. A backup exists when this file exists.
 *
 * It holds no secret and no name of a customer's object: table and file names are in the inventory
 * and the manifest, which are encrypted. It is signed with a key derived from the backup's data key.
 */
export interface BackupMetadata {
  readonly format: "lc2-backup";
  readonly formatVersion: number;
  readonly projectId: string;
  readonly backupId: string;
  /** The attempt that counts. */
  readonly attempt: number;
  readonly application?: string;
  /** The environment of the project that it is a backup of. */
  readonly environment?: string;
  readonly createdAt: string;
  readonly sealedAt: string;
  /** The version of lc2 that wrote it. */
  readonly writtenBy: string;
  readonly encryption: EncryptionMode;
  /** Of server mode: how the store encrypted every file of this backup, as it stated itself. */
  readonly serverEncryption?: ServerEncryption;
  readonly components: {
    readonly database?: DatabaseComponent;
    readonly files?: FilesComponent;
    /** Hooks that ran before, in their order. */
    readonly hooks?: readonly HookRecord[];
  };
  /** Seconds between the database's instant and the end of the file listing. */
  readonly skewSeconds?: number;
  /** Bytes this backup added to the repository, and bytes of the data it stands for. */
  readonly storedBytes: number;
  readonly sourceBytes: number;
  /**
   * Of a copy that was encrypted anew because its repository has another mode: SHA-256 of the original's metadata.json,
   * lower-case hex.
   */
  readonly transcriptOf?: string;
  /** Where the by-hand instructions are. */
  readonly restoreByHand: string;
  readonly signature: Signature;
}

export interface Signature {
  readonly algorithm: "HMAC-SHA256";
  /** Hex, over the canonical form (see `canonicalJson`) of the metadata without this member. */
  readonly value: string;
}

/** One encrypted file of a backup, with the evidence that it was written whole. */
export interface StoredFile {
  /** Relative to the backup: `a1/database/lportal.dump`. */
  readonly name: string;
  readonly sizeBytes: number;
  /** SHA-256 of the stored (encrypted) form, lower-case hex. */
  readonly sha256: string;
  /** Of the store when it was written, where it was not its usual one. */
  readonly storageClass?: string;
  /** Bytes before compression. */
  readonly plainBytes: number;
  readonly codec: "zstd" | "none";
}

/** That a hook ran before the backup and ended well, and what it left. */
export interface HookRecord {
  readonly name: string;
  readonly kind: "command" | "http" | "sql";
  readonly startedAt: string;
  readonly finishedAt: string;
  /** A tar archive, under the data key, of what was at the hook's `artifactPath`. */
  readonly artifact?: StoredFile & { readonly files: number };
}

export interface DatabaseComponent {
  readonly engine: "postgresql";
  /** The database's name, and where it was reached; never the user or a password. */
  readonly name: string;
  readonly source: DatabaseIdentity;
  /** e.g. "17.10"; of the server, and of the tool that read it. */
  readonly serverVersion: string;
  readonly toolVersion: string;
  /** The one exported snapshot all archives were read from. */
  readonly recoveryPoint: { readonly at: string; readonly lsn: string };
  readonly startedAt: string;
  readonly finishedAt: string;
  /** Stock custom-format archives. The first is the main one; the others hold rows of large tables. */
  readonly archives: readonly StoredFile[];
  /** The main archive cut after its table of contents. */
  readonly toc: StoredFile;
  /** Encrypted `DatabaseInventory` (JSON). */
  readonly inventory: StoredFile;
  /** Roles without passwords and database-level settings, as SQL. */
  readonly roles: StoredFile;
  readonly tables: number;
  readonly rows: number;
  readonly largeObjects: number;
  /** `pg_database_size` when the backup began. */
  readonly databaseBytes: number;
  /** Table patterns whose rows were left out on request. */
  readonly excludedTables: readonly string[];
  /** What the tool said on standard error that did not stop it; never a row's content. */
  readonly warnings: readonly string[];
}

/** What a database is, however it is spelled: the cluster's system identifier and the database's oid. */
export interface DatabaseIdentity {
  readonly systemIdentifier: string;
  readonly oid: number;
  /** `host:port` or a socket folder. */
  readonly address: string;
}

export interface FilesComponent {
  /** Canonical URL of the source: `file:///srv/liferay/document_library`. */
  readonly source: string;
  readonly listingStartedAt: string;
  readonly listingFinishedAt: string;
  readonly manifest: StoredFile;
  /** Packs and single files that this backup wrote, whole. */
  readonly stored: {
    readonly files: number;
    readonly sizeBytes: number;
    /** Bytes in each of the store's classes but its usual one, as it was when they were written. */
    readonly storageClasses?: Readonly<Record<string, number>>;
  };
  /**
   * Of `stored`: what the store copied by itself, and of how many of these it computed the SHA-256; the other copies
   * were read once.
   */
  readonly copied?: { readonly files: number; readonly sizeBytes: number; readonly hashedByStore: number };
  readonly objects: number;
  readonly directories: number;
  readonly symlinks: number;
  /** Bytes of content of all objects in the manifest. */
  readonly sourceBytes: number;
  readonly newObjects: number;
  readonly unchangedObjects: number;
  readonly vanishedObjects: number;
  /** Left out by filters. */
  readonly excludedObjects: number;
  /** Objects that are in no readable state in the source; named (encrypted) in the manifest's sibling `a{n}/files/skipped`. */
  readonly skipped?: StoredFile & { readonly objects: number };
  /** Earlier backups (or unsealed ones, in the same project) whose stored bytes the manifest refers to. */
  readonly references: readonly string[];
  readonly filters: {
    readonly excludePatterns: readonly string[];
    readonly excludePaths: readonly string[];
    readonly includePaths: readonly string[];
    readonly excludeGenerated: boolean;
  };
}

/**
 * `{name}.inventory.json`: what the database held at the recovery point, for verification of a
 * restore. Names are as the server gives them, unquoted.
 */
export interface DatabaseInventory {
  readonly format: "lc2-database-inventory";
  readonly formatVersion: number;
  readonly database: {
    readonly name: string;
    readonly owner: string;
    readonly encoding: string;
    readonly collate: string;
    readonly ctype: string;
    /** Server major >= 15: 'c', 'i' (icu), 'b' (builtin). */
    readonly localeProvider?: string;
    readonly icuLocale?: string;
    readonly comment?: string;
    readonly connectionLimit: number;
  };
  readonly serverVersion: string;
  readonly extensions: readonly {
    readonly name: string;
    readonly version: string;
    readonly schema: string;
  }[];
  /**
   * Every table that holds rows itself (leaf partitions too) and materialised view. `rows` and `bytes`
   * are counted in the archive as it passed; absent for materialised views and for tables whose rows were
   * left out. `parent` is the root of a partition tree (rows of hash partitions may land in other leaves).
   */
  readonly tables: readonly InventoryTable[];
  readonly sequences: readonly {
    readonly schema: string;
    readonly name: string;
    readonly lastValue: string;
    readonly isCalled: boolean;
  }[];
  /** Count, and logical bytes, of large objects in the archive. */
  readonly largeObjects: { readonly count: number; readonly bytes: number };
  /** Counts by kind, for completeness: constraints (by contype), indexes, triggers, functions, views, … */
  readonly counts: Readonly<Record<string, number>>;
  /** Indexes that were already invalid in the source: `schema.name`. */
  readonly invalidIndexes: readonly string[];
}

export interface InventoryTable {
  readonly schema: string;
  readonly name: string;
  readonly kind: "table" | "materialized-view";
  readonly rows?: number;
  readonly bytes?: number;
  readonly excluded?: true;
  readonly parent?: { readonly schema: string; readonly name: string };
}

/**
 * The canonical form that is signed and hashed: JSON with members sorted by name (UTF-16 code units),
 * no white space, no undefined members; the same idea as RFC 8785 for the values that occur here
 * (strings, booleans, whole numbers, null).
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
    return `{${members.join(",")}}`;
  }
  return JSON.stringify(value);
}
