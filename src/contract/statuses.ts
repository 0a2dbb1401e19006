/** What an operation is doing, in the words of REST and of the command line. */
export const backupStatuses = [
  "Queued",
  "Pending",
  "ExportInProgress",
  "TransferInProgress",
  "GeneratingMetadata",
  "Completed",
  "Failed",
  "Cancelled",
] as const;
export type BackupStatus = (typeof backupStatuses)[number];

export const restoreStatuses = [
  "Queued",
  "Pending",
  "ValidatingBackup",
  "RestoringDump",
  "RestoringStorage",
  "Completed",
  "Failed",
  "Cancelled",
] as const;
export type RestoreStatus = (typeof restoreStatuses)[number];

export const copyStatuses = [
  "Queued",
  "Pending",
  "TransferInProgress",
  "Completed",
  "Failed",
  "Cancelled",
] as const;
export type CopyStatus = (typeof copyStatuses)[number];
