import type { CopyView } from "../../src/contract/copies.ts";
import type { BackupView, RestoreView } from "../../src/contract/service.ts";
import type { StoredFile } from "../../src/core/repository/metadata.ts";
import type { RestorePlan } from "../../src/core/restore/restore.ts";

const stored = (name: string, sizeBytes: number, plainBytes: number): StoredFile => ({
  name,
  sizeBytes,
  sha256: "00".repeat(32),
  plainBytes,
  codec: "zstd",
});

/** A completed backup of a database and files, with round numbers. */
export function exampleBackup(): BackupView {
  const backupId = "backup-20261124-140000-3f9c2a";
  return {
    backupId,
    projectId: "retail",
    application: "liferay",
    status: "Completed",
    size: 167_000_000,
    createdAt: "2026-11-24T14:00:00.000Z",
    completedAt: "2026-11-24T14:00:12.500Z",
    repository: "file:///srv/backups",
    requestId: "request-1",
    components: {
      database: {
        dump: "a1/database/lportal.dump",
        name: "lportal",
        rows: 5_200_000,
        tables: 312,
        status: "Completed",
      },
      storage: { location: "a1/files", objects: 50_000, status: "Completed" },
    },
    metadata: {
      format: "lc2-backup",
      formatVersion: 1,
      projectId: "retail",
      backupId,
      attempt: 1,
      application: "liferay",
      createdAt: "2026-11-24T14:00:00.000Z",
      sealedAt: "2026-11-24T14:00:12.000Z",
      writtenBy: "lc2 0.1.0",
      encryption: "client",
      components: {
        database: {
          engine: "postgresql",
          name: "lportal",
          source: { systemIdentifier: "7400000000000000000", oid: 16_384, address: "db:5432" },
          serverVersion: "17.10",
          toolVersion: "17.10",
          recoveryPoint: { at: "2026-11-24T14:00:01.000Z", lsn: "0/16B3748" },
          startedAt: "2026-11-24T14:00:01.000Z",
          finishedAt: "2026-11-24T14:00:09.000Z",
          archives: [
            stored("a1/database/lportal.dump", 100_000_000, 700_000_000),
            stored("a1/database/lportal.2.dump", 42_000_000, 365_000_000),
          ],
          toc: stored("a1/database/lportal.toc", 40_000, 200_000),
          inventory: stored("a1/database/lportal.inventory.json", 9000, 60_000),
          roles: stored("a1/database/roles.sql", 500, 900),
          tables: 312,
          rows: 5_200_000,
          largeObjects: 1024,
          databaseBytes: 1_400_000_000,
          excludedTables: ["cache_*"],
          warnings: [],
        },
        files: {
          source: "file:///srv/dl",
          listingStartedAt: "2026-11-24T14:00:01.200Z",
          listingFinishedAt: "2026-11-24T14:00:01.800Z",
          manifest: stored("a1/files/manifest", 900_000, 9_000_000),
          stored: { files: 3, sizeBytes: 24_000_000 },
          objects: 50_000,
          directories: 900,
          symlinks: 2,
          sourceBytes: 1_200_000_000,
          newObjects: 1200,
          unchangedObjects: 48_800,
          vanishedObjects: 1,
          excludedObjects: 7,
          references: ["backup-20261123-140000-aaaaaa"],
          filters: { excludePatterns: ["*.tmp"], excludePaths: [], includePaths: [], excludeGenerated: true },
        },
      },
      skewSeconds: 0.8,
      storedBytes: 167_000_000,
      sourceBytes: 2_265_000_000,
      restoreByHand: "docs/operations/restore-by-hand.md",
      signature: { algorithm: "HMAC-SHA256", value: "00".repeat(32) },
    },
  };
}

export function examplePlan(): RestorePlan {
  return {
    restoreId: "restore-20261124-150000-7b21cc",
    projectId: "retail",
    backupId: "backup-20261124-140000-3f9c2a",
    restoreType: "full",
    recoveryPoint: "2026-11-24T14:00:01.000Z",
    database: {
      url: "postgres://app@db:5432/lportal",
      into: "swap",
      target: "lportal",
      loadInto: "lportal_restore_7b21cc",
      retireAs: "lportal_retired_7b21cc",
      serverVersion: "17.10",
      tools: { directory: "/usr/lib/postgresql/17/bin", version: "17.10" },
      jobs: 2,
      createDatabase: true,
      noOwner: false,
      createRoles: false,
      endSessions: true,
      leaveOut: [{ dumpId: 5, what: "EXTENSION pg_stat_statements", why: "only a superuser can create it" }],
      rows: 5_200_000,
      bytes: 1_065_000_000,
      estimatedSeconds: 95,
      breaks: ["3 sessions are ended"],
    },
    files: {
      url: "file:///srv/dl",
      mode: "merge",
      include: [],
      add: 40,
      change: 2,
      remove: 0,
      unchanged: 49_958,
      bytesToWrite: 12_000_000,
      estimatedSeconds: 3,
    },
    blockers: [],
    warnings: ["The target's server is newer than the source's."],
    steps: ["make database lportal_restore_7b21cc", "load 5,200,000 rows", "swap it with lportal"],
    hash: "0123456789abcdef",
  };
}

export function exampleRestore(): RestoreView {
  const plan = examplePlan();
  return {
    restoreId: plan.restoreId,
    projectId: "retail",
    backupId: plan.backupId,
    restoreType: "full",
    status: "Completed",
    progress: 100,
    createdAt: "2026-11-24T15:00:00.000Z",
    completedAt: "2026-11-24T15:01:40.000Z",
    plan,
    database: {
      database: "lportal",
      tables: 312,
      rows: 5_200_000,
      sequences: 40,
      largeObjects: 1024,
      analyzed: true,
      leftOut: ["EXTENSION pg_stat_statements"],
      warnings: [],
      durationMs: 90_000,
      swapped: true,
      retiredDatabase: "lportal_retired_7b21cc",
    },
    files: { added: 40, replaced: 2, removed: 0, unchanged: 49_958, bytesWritten: 12_000_000, verified: 42 },
  };
}

export function exampleCopy(): CopyView {
  return {
    copyId: "copy-20261124-140000-c0c0c0",
    backupId: exampleBackup().backupId,
    projectId: "retail",
    from: exampleBackup().repository,
    to: "file:///mnt/usb",
    status: "Completed",
    createdAt: "2026-11-24T14:00:00.000Z",
    completedAt: "2026-11-24T14:00:12.000Z",
  };
}
