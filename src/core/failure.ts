/**
 * What can go wrong, in one registry. Every error that reaches a person is a `Failure` with one of
 * these codes; exit codes and HTTP statuses are derived from the code's `kind` in one place each
 * (`src/cli/exit-codes.ts`), and `docs/reference/errors.md` is generated from this table.
 *
 * A code is never reused for another meaning.
 */

/** Decides the exit code (and, over HTTP, the status). */
type FailureKind =
  | "failed" // the work was tried and did not succeed: exit 1
  | "usage" // the command or request cannot be understood: exit 2
  | "refused" // understood, but policy, protection or validation says no: exit 3
  | "not-found" // the thing named does not exist: exit 4
  | "timed-out" // waiting ended before the work did: exit 5
  | "integrity"; // stored data is damaged, missing or not what it claims to be: exit 6

interface FailureDefinition {
  readonly kind: FailureKind;
  /** What happened, in one sentence, for the reference page. */
  readonly meaning: string;
  /** What to do about it, for the reference page. */
  readonly remedy: string;
}

const define = <T extends Record<string, FailureDefinition>>(table: T): T => table;

export const failures = define({
  // --- command line and requests -----------------------------------------------------------
  usage: {
    kind: "usage",
    meaning: "The command line has an unknown option, a missing value or a value of the wrong form.",
    remedy: "Read the sentence; `lc2 <noun> <verb> --help` shows every option.",
  },
  "password-on-command-line": {
    kind: "usage",
    meaning:
      "The URL of a database or a bucket carries credentials; every user of the machine could read them in the process list.",
    remedy:
      "Remove them. Databases: PGPASSWORD, a .pgpass file or a service file; buckets: the AWS variables, a profile " +
      "or the machine's role.",
  },
  "application-unknown": {
    kind: "usage",
    meaning: "There is no application profile of this name.",
    remedy: "Use liferay, drupal or bloomreach, or leave --application out.",
  },
  "not-available": {
    kind: "usage",
    meaning: "This version has no such provider, store, database engine or way of working.",
    remedy: "Use what the sentence names instead; PostgreSQL, folders and S3 buckets are there.",
  },
  "nothing-to-back-up": {
    kind: "usage",
    meaning: "The request names neither a database nor files.",
    remedy: "Give --database, --files or --bucket.",
  },
  "refused-overwrite": {
    kind: "refused",
    meaning: "What would be written is there already, or is a place that these bytes do not belong to.",
    remedy: "Choose another name, or say --force.",
  },
  interrupted: {
    kind: "failed",
    meaning: "The process that ran the operation died or was stopped before it was done.",
    remedy: "Run the command again. Stored bytes that are whole are used again.",
  },
  cancelled: {
    kind: "failed",
    meaning: "The operation was cancelled.",
    remedy: "Nothing to do. Run the command again when it is wanted.",
  },
  internal: {
    kind: "failed",
    meaning: "A defect in this software.",
    remedy: "Run again with --debug and report what it prints.",
  },
  "worker-died": {
    kind: "failed",
    meaning: "A worker process ended without a result: killed, out of memory, or crashed.",
    remedy: "Read `lc2 backup logs`; look for the kernel's out-of-memory messages; run again.",
  },
  stalled: {
    kind: "failed",
    meaning: "A worker moved no byte for longer than LC2_STALL_MINUTES and was ended.",
    remedy:
      "It is tried again. When it happens again, look at the source, the store and the network between.",
  },
  "source-not-found": {
    kind: "not-found",
    meaning: "The folder to back up does not exist or is not a folder.",
    remedy: "Check the path and whether the file system is mounted.",
  },
  "source-unreadable": {
    kind: "refused",
    meaning: "The folder to back up cannot be listed by this user.",
    remedy: "Give the user read and search rights on the folder.",
  },
  "source-empty": {
    kind: "refused",
    meaning: "The source of files holds no file, or the filters leave none.",
    remedy: "Check that it is mounted; allow it with --max-shrink 100% if it is really empty.",
  },
  "source-shrank": {
    kind: "refused",
    meaning: "The source of files holds much less than at the last backup.",
    remedy: "Look for what is missing; allow it with --max-shrink if it was removed on purpose.",
  },
  "listing-unreliable": {
    kind: "failed",
    meaning:
      "The store lists objects out of byte order, twice, or from elsewhere, so a backup could miss some.",
    remedy: "Check the store's version and settings, and any proxy before it.",
  },
  "files-unreadable": {
    kind: "failed",
    meaning:
      "Files or folders of the source cannot be read by this user, or most of them changed while they were read.",
    remedy: "Give read and search rights, exclude them, or accept their absence with --allow-unreadable.",
  },
  // --- catalog and operations --------------------------------------------------------------
  "request-invalid": {
    kind: "usage",
    meaning: "A field of the request has a wrong value; every problem is named.",
    remedy: "Correct what the sentence names and run again. Nothing was started.",
  },
  "catalog-failed": {
    kind: "failed",
    meaning: "The catalog (in the data directory, or at DATABASE_URL) cannot be read or written.",
    remedy:
      "Check owner, permissions and space of the data directory, or the role and rights of DATABASE_URL. No " +
      "backup depends on the catalog: `lc2 repository scan` rebuilds it.",
  },
  "catalog-unreachable": {
    kind: "failed",
    meaning:
      "The PostgreSQL server of the catalog, or the way to it, is not there for now; or another process holds the catalog's file, or its disk is full or fails.",
    remedy:
      "Check the server that DATABASE_URL names and the network, or the disk of the data directory. Work goes on when it is back; nothing is lost.",
  },
  "catalog-too-new": {
    kind: "refused",
    meaning: "The catalog was written by a newer version of lc2.",
    remedy: "Use that version, or another catalog.",
  },
  "catalog-on-network": {
    kind: "refused",
    meaning: "The data directory is on a network file system, where SQLite's locks cannot be relied on.",
    remedy: "Choose a local folder with --data-dir or LC2_DATA_DIR. Repositories may be anywhere.",
  },
  "already-finished": {
    kind: "refused",
    meaning: "The operation has ended, so it cannot be cancelled.",
    remedy: "`lc2 backup get` or `lc2 restore get` shows how it ended.",
  },
  "window-closed": {
    kind: "refused",
    meaning: "A scheduled backup had not begun, or had not ended, when its backup window closed.",
    remedy: "Give the schedule a longer window, or let what runs finish with `--window-end finish`.",
  },
  "schedule-not-found": {
    kind: "not-found",
    meaning: "The project has no schedule of this name.",
    remedy: "`lc2 schedule list` shows what there is.",
  },
  "still-running": {
    kind: "refused",
    meaning: "The operation is still running, so this cannot be done with it yet.",
    remedy: "Wait for its end, or cancel it.",
  },
  "plan-blocked": {
    kind: "refused",
    meaning: "The restore's plan found something that would make it fail.",
    remedy: "The sentence names each obstacle. Nothing was changed.",
  },
  "plan-not-approved": {
    kind: "refused",
    meaning: "The hash given with --approve is not the hash of the plan as it is now.",
    remedy: "Read the plan again (`lc2 restore plan`) and approve what it says now. Nothing was changed.",
  },
  "nothing-to-undo": {
    kind: "refused",
    meaning: "The restore changed nothing, or what it changed was put back already.",
    remedy: "Nothing to do. `lc2 restore get` shows what happened.",
  },
  // --- the server and its callers ------------------------------------------------------------
  unauthenticated: {
    kind: "refused",
    meaning: "The call carries no API key, or none that is valid now.",
    remedy:
      "Send `Authorization: Bearer KEY` (the command line: LC2_API_KEY). `lc2 api-key create` makes a key; the " +
      "first one is in admin.key in the server's data directory.",
  },
  forbidden: {
    kind: "refused",
    meaning: "The API key's role does not allow this.",
    remedy: "Use a key of the role that the sentence names.",
  },
  "too-many-attempts": {
    kind: "refused",
    meaning: "Too many calls with a wrong API key came from this address.",
    remedy: "Wait for the time that the answer names, and use a valid key.",
  },
  "idempotency-key-reused": {
    kind: "refused",
    meaning: "The Idempotency-Key was sent before, with another request.",
    remedy: "Choose a new key for a new request; repeat a request as it was.",
  },
  "api-key-not-found": {
    kind: "not-found",
    meaning: "There is no API key of this id.",
    remedy: "`lc2 api-key list` shows what there is.",
  },
  "context-not-found": {
    kind: "not-found",
    meaning: "No server is kept under this name.",
    remedy: "`lc2 context list` shows the names; `lc2 context set` keeps a server.",
  },
  "project-not-found": {
    kind: "not-found",
    meaning: "There is no project of this id, or the API key is not for it.",
    remedy: "Check the id, and the projects of the key with `lc2 api-key list`.",
  },
  "environment-not-found": {
    kind: "not-found",
    meaning: "The project has no environment of this name.",
    remedy: "`lc2 environment list` shows what there is; `lc2 environment create` makes one.",
  },
  "secret-missing": {
    kind: "refused",
    meaning:
      "A secret that an environment refers to is not there, or cannot be read, where the work is done.",
    remedy:
      "The sentence names the reference. Set the variable, or put the file where the worker can read it.",
  },
  "source-not-allowed": {
    kind: "refused",
    meaning: "The environment that would be restored into does not take backups of this one.",
    remedy: "Choose another backup or target; who administers the project can change the allowed sources.",
  },
  "restore-point-not-found": {
    kind: "not-found",
    meaning: "No backup that could be restored was made at or before the instant that was asked for.",
    remedy: "`lc2 restore-points list` shows what there is, and why a backup cannot be used.",
  },
  "definition-exists": {
    kind: "refused",
    meaning: "Something of this name is there already, and is not what was asked for.",
    remedy: "Choose another name, or replace it on purpose: --replace, or PUT.",
  },
  "definition-changed": {
    kind: "refused",
    meaning: "What was to be changed or deleted was changed by somebody else since it was read.",
    remedy: "Read it again and decide anew.",
  },
  "definition-in-use": {
    kind: "refused",
    meaning: "Something else still refers to what was to be deleted.",
    remedy: "The sentence names it; delete or change that first.",
  },
  "route-not-found": {
    kind: "not-found",
    meaning: "The server has nothing at this address, or not by this method.",
    remedy: "GET /openapi.json or /docs lists every address.",
  },
  "server-unreachable": {
    kind: "failed",
    meaning: "The server that LC2_SERVER names does not answer, or not as an lc2 server does.",
    remedy:
      "Check the address, the network and that `lc2 serve` runs there; unset LC2_SERVER to work without it.",
  },
  "server-stopping": {
    kind: "failed",
    meaning: "The server is shutting down and takes nothing new.",
    remedy: "Send the request again in a moment.",
  },
  "server-busy": {
    kind: "failed",
    meaning: "As many calls as may have a worker at once had one, for as long as this one could wait.",
    remedy: "Send the request again later, or raise LC2_MAX_CALLS where there is memory for more.",
  },
  "listen-failed": {
    kind: "failed",
    meaning: "The server cannot listen at the address, or with the certificate, that it was given.",
    remedy: "Choose another --listen; check that certificate and key can be read and belong together.",
  },
  "listen-exposed": {
    kind: "refused",
    meaning:
      "The server was to listen beyond this machine without TLS: keys and data would cross the network in the open.",
    remedy: "Give --tls-cert and --tls-key, or --insecure where something in front of it speaks TLS.",
  },
  // --- repository --------------------------------------------------------------------------
  "backup-not-found": {
    kind: "not-found",
    meaning: "No backup of this id is known to the catalog or stored in the repository.",
    remedy: "`lc2 backup list` shows what there is; `lc2 repository scan` rebuilds the catalog.",
  },
  "restore-not-found": {
    kind: "not-found",
    meaning: "No restore of this id is known.",
    remedy: "`lc2 restore list` shows what there is.",
  },
  "copy-not-found": {
    kind: "not-found",
    meaning: "No copying of a backup has this id.",
    remedy: "`lc2 copy list` shows what there is.",
  },
  "path-not-found": {
    kind: "not-found",
    meaning: "The backup holds no file of this path.",
    remedy: "`lc2 backup browse` lists what a backup holds.",
  },
  "repository-not-found": {
    kind: "not-found",
    meaning: "There is no repository at this place.",
    remedy: "Check the path. `lc2 backup create` makes a new repository; other commands never do.",
  },
  "repository-occupied": {
    kind: "refused",
    meaning: "The folder exists, is not empty and is not a repository.",
    remedy: "Choose an empty or a new folder.",
  },
  "repository-read-only": {
    kind: "failed",
    meaning: "The repository cannot be written.",
    remedy: "Check owner, permissions and mount options of the repository's folder.",
  },
  "repository-busy": {
    kind: "failed",
    meaning: "Another process holds a lease on the repository that excludes this work.",
    remedy: "Wait for it to end; a lease of a dead process expires by itself.",
  },
  "place-busy": {
    kind: "refused",
    meaning:
      "Another operation works on the same database, folder or part of a bucket at this moment, perhaps under another " +
      "name of it; one at a time may.",
    remedy: "Wait for its end or cancel it. What a server carries out waits by itself.",
  },
  "format-too-new": {
    kind: "refused",
    meaning: "The repository or backup was written in a format version that this version does not know.",
    remedy: "Use a newer version of lc2.",
  },
  "copy-to-itself": {
    kind: "refused",
    meaning: "A backup was to be copied into the repository it is in, or into a folder inside it.",
    remedy: "Name another place with --to.",
  },
  "copy-target-unknown": {
    kind: "usage",
    meaning: "A backup is to be copied, and neither the command nor its repository says where to.",
    remedy: "Name the place with --to, or once for all with `lc2 repository set-copy`.",
  },
  "copy-differs": {
    kind: "refused",
    meaning: "The destination has another backup of the same id; one is not put over the other.",
    remedy: "Verify both; copy to another repository, or delete the one in the destination first.",
  },
  "disk-full": {
    kind: "failed",
    meaning: "There is no space left where data was being written.",
    remedy: "Free some space and run again. Earlier backups are untouched.",
  },
  "store-failed": {
    kind: "failed",
    meaning: "The operating system or the store refused to read or write, or did not keep what was written.",
    remedy: "The sentence names the file or object and the reason.",
  },
  "backup-incomplete": {
    kind: "integrity",
    meaning: "A file that the backup's metadata names is missing or has another size.",
    remedy: "Restore from another backup or copy; `lc2 repository check` shows what else is damaged.",
  },
  "evidence-missing": {
    kind: "failed",
    meaning: "A part of a backup ended without leaving its evidence in the repository.",
    remedy: "Run the backup again. Nothing was sealed.",
  },
  "evidence-damaged": {
    kind: "integrity",
    meaning:
      "What a part of a backup left for the seal was put there or changed by somebody else: its signature does not fit.",
    remedy: "Find out who can write to the repository, then run the backup again. Nothing was sealed.",
  },
  "data-damaged": {
    kind: "integrity",
    meaning: "Stored bytes fail their authentication tag, checksum or decompression.",
    remedy: "Restore from another backup or copy; `lc2 repository check` shows what else is damaged.",
  },
  "metadata-damaged": {
    kind: "integrity",
    meaning: "metadata.json cannot be read or its signature does not fit its content.",
    remedy: "Restore from another backup or copy.",
  },
  "manifest-damaged": {
    kind: "integrity",
    meaning: "The file manifest is not in its stated form or order.",
    remedy: "Restore from another backup or copy.",
  },
  "keyring-damaged": {
    kind: "integrity",
    meaning: "keyring.json cannot be read, or a key in it cannot be unwrapped with the right project key.",
    remedy: "Put keyring.json back from a copy of the repository.",
  },
  // --- buckets -------------------------------------------------------------------------------
  "bucket-not-found": {
    kind: "not-found",
    meaning: "There is no bucket of this name at the store.",
    remedy: "Check name, endpoint and region. Only a backup makes its repository's bucket.",
  },
  "bucket-elsewhere": {
    kind: "refused",
    meaning: "The bucket is in another region, or reached by another address, than the URL says.",
    remedy: "Set region= or endpoint= in the URL as the sentence says.",
  },
  "store-access-denied": {
    kind: "refused",
    meaning: "The store knows the credentials and does not allow them what is needed.",
    remedy: "Add the policy statement in the sentence to the user or role, or to the bucket's policy.",
  },
  "store-credentials-missing": {
    kind: "refused",
    meaning: "No credentials for the store were found in the environment, a profile or the machine's role.",
    remedy: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with profile= in the URL.",
  },
  "store-credentials-expired": {
    kind: "failed",
    meaning: "The credentials for the store have expired, and there are no newer ones where they came from.",
    remedy: "Log in again, or use a role that renews its credentials, and run again.",
  },
  "store-credentials-wrong": {
    kind: "refused",
    meaning: "The store does not know the access key, or the secret does not fit it.",
    remedy: "Check the credentials, and that they belong to this endpoint.",
  },
  "store-clock-skewed": {
    kind: "failed",
    meaning: "This machine's clock differs so much from the store's that the store refuses signed requests.",
    remedy: "Set the clock (NTP) and run again.",
  },
  "store-throttled": {
    kind: "failed",
    meaning: "The store asked to slow down for longer than a request may take.",
    remedy: "Run again later, or with fewer requests at once; raise the store's limits.",
  },
  "store-unreachable": {
    kind: "failed",
    meaning: "The store does not answer, answers with server errors, or the connection to it keeps breaking.",
    remedy: "Check endpoint, network and the store's health, and run again.",
  },
  "store-tls-failed": {
    kind: "failed",
    meaning: "No TLS connection to the store could be made that can be trusted.",
    remedy: "Name the authority's certificate with ca= in the URL; check host name, dates and min-tls.",
  },
  "encryption-unproved": {
    kind: "refused",
    meaning:
      "Of a repository in server mode: the store does not state that an object is encrypted with the repository's key.",
    remedy:
      "Check the key and the bucket's settings; where the store has no encryption of its own, use a repository without " +
      "`--encryption server`, which is encrypted before it leaves this machine.",
  },
  "encryption-differs": {
    kind: "refused",
    meaning: "Repository and request do not agree on who encrypts, or on the key.",
    remedy: "The mode is chosen when a repository is made: name the repository's own, or another place.",
  },
  "object-cold": {
    kind: "refused",
    meaning: "An object is in an archive tier of the store and must be brought back before it can be read.",
    remedy: "Ask the store to restore it (RestoreObject), wait, and run again.",
  },
  "object-locked": {
    kind: "refused",
    meaning: "An object is under retention or legal hold, so the store does not delete it yet.",
    remedy: "Delete again after the time in the sentence, or after the hold was lifted.",
  },
  // --- databases -----------------------------------------------------------------------------
  "database-unreachable": {
    kind: "failed",
    meaning: "The database server does not answer, or the connection broke while it was being made.",
    remedy: "Check host, port, firewalls and that PostgreSQL is running.",
  },
  "database-login-refused": {
    kind: "failed",
    meaning: "The server refused the role's password, or asked for one and none was found.",
    remedy: "Set PGPASSWORD, or add a line to ~/.pgpass (mode 0600) or to a service file.",
  },
  "database-access-refused": {
    kind: "failed",
    meaning: "The server's access rules do not let this role connect to this database from this machine.",
    remedy: "Check that the role exists and may log in, GRANT CONNECT, and pg_hba.conf.",
  },
  "database-not-found": {
    kind: "not-found",
    meaning: "The server has no database of this name.",
    remedy: "Check the name at the end of the URL.",
  },
  "database-busy": {
    kind: "failed",
    meaning: "The server takes no connections right now: starting, stopping, or all connections in use.",
    remedy: "Wait and run again, or raise max_connections.",
  },
  "database-tls-failed": {
    kind: "failed",
    meaning: "The TLS connection to the server could not be made as sslmode asks.",
    remedy: "Check sslmode, sslrootcert, sslcert, sslkey and the name in the server's certificate.",
  },
  "database-query-failed": {
    kind: "failed",
    meaning: "The server rejected a statement, or the connection broke during it.",
    remedy: "The sentence has the server's words; its log has more.",
  },
  "server-unsupported": {
    kind: "refused",
    meaning: "The server's version is too old for this software.",
    remedy: "Upgrade the server to PostgreSQL 13 or newer.",
  },
  "tools-missing": {
    kind: "failed",
    meaning: "No client tools (pg_dump, pg_restore) that fit the server's major version were found.",
    remedy:
      "Install the client tools of the server's major, or name their folder with --tools or LC2_PG_BIN.",
  },
  "rights-missing": {
    kind: "refused",
    meaning: "The role cannot read everything in the database, so a backup would be incomplete.",
    remedy: "Run the GRANT statements in the message, or use another role.",
  },
  "standby-refused": {
    kind: "refused",
    meaning: "The server is a standby and the command does not say so, or the other way round.",
    remedy: "Add --from-standby, or name the primary.",
  },
  "lock-timeout": {
    kind: "failed",
    meaning: "Another session holds a lock on a table that the dump must read.",
    remedy: "Let that session finish, end it, or run again with a longer --lock-timeout.",
  },
  "database-changing": {
    kind: "failed",
    meaning: "Tables were created or dropped in the moment the backup began.",
    remedy: "Run again when the migration that changes the tables is through.",
  },
  "snapshot-lost": {
    kind: "failed",
    meaning: "The session that holds the backup's snapshot ended before the backup did.",
    remedy: "Run again. Look in the server's log for who ended the session, or for a restart.",
  },
  "dump-failed": {
    kind: "failed",
    meaning: "pg_dump ended with an error.",
    remedy: "The sentence has its last words; `lc2 backup logs` has all of them.",
  },
  "dump-incomplete": {
    kind: "failed",
    meaning: "pg_dump reported success, but its archive is cut short or holds less than it should.",
    remedy: "Check the client tools (disk, memory, wrappers around pg_dump) and run again.",
  },
  // --- keys ----------------------------------------------------------------------------------
  "key-missing": {
    kind: "refused",
    meaning: "The project's key that this backup was wrapped with is not in the key service.",
    remedy: "Bring it back with `lc2 key import` from the copy made by `lc2 key export`.",
  },
  "key-wrong": {
    kind: "refused",
    meaning: "The project has a keyfile, but none of its keys is the one that this backup was wrapped with.",
    remedy: "Import the key of the installation that made the backup.",
  },
  "key-text-unreadable": {
    kind: "failed",
    meaning: "The file with an exported key cannot be read.",
    remedy: "Check the path and its permissions; `-` reads standard input.",
  },
  "keyfile-invalid": {
    kind: "refused",
    meaning: "The keyfile is not in its stated form, or a line fails its check value.",
    remedy: "Compare the line named in the sentence with the paper copy.",
  },
  "keyfile-exposed": {
    kind: "refused",
    meaning: "The keyfile can be read or changed by other users, and this user may not close it to them.",
    remedy:
      "Run the chmod command in the sentence as the file's owner; rotate the key if it may have been read.",
  },
  // --- throw-away servers of demo and tests ------------------------------------------------
  "demo-failed": {
    kind: "failed",
    meaning: "A command that the demo ran did not succeed.",
    remedy: "Read the command's own words above the sentence.",
  },
  "postgres-unavailable": {
    kind: "failed",
    meaning: "A throw-away PostgreSQL server for the demo or the tests cannot be had or does not start.",
    remedy: "Install PostgreSQL, or make python3 with pip and the package registries reachable.",
  },
  // --- restore into a database -----------------------------------------------------------------
  "nothing-to-restore": {
    kind: "usage",
    meaning: "The request names no target, or the backup has no such part.",
    remedy: "Give --database, and --files or --bucket; `lc2 backup describe` shows what a backup holds.",
  },
  "target-occupied": {
    kind: "refused",
    meaning:
      "The target database holds something, and this way of restoring would mix with it or overwrite it.",
    remedy: "Choose another --into, or another database.",
  },
  "target-is-catalog": {
    kind: "refused",
    meaning: "The database to restore into holds the catalog that lc2 works with.",
    remedy: "Restore under another name. To rebuild a catalog use `lc2 repository scan`.",
  },
  "target-too-old": {
    kind: "refused",
    meaning: "The target server is of an older major version than the server that was backed up.",
    remedy: "Restore into a server of the same or a newer major.",
  },
  "extension-missing": {
    kind: "refused",
    meaning: "The backup needs an extension whose package is not installed on the target server.",
    remedy: "Install the extension's package there.",
  },
  "rights-missing-to-restore": {
    kind: "refused",
    meaning: "The connecting role may not do what this way of restoring needs.",
    remedy: "The sentence names the right and the ways that do without it.",
  },
  "restore-table-unknown": {
    kind: "refused",
    meaning: "A table asked for is not in the backup.",
    remedy: "`lc2 backup browse` lists the tables of a backup.",
  },
  "table-in-use": {
    kind: "refused",
    meaning: "A table cannot be replaced because foreign keys, views or others depend on it.",
    remedy: "Let it land in the side schema (without --into in-place) and copy the rows from there.",
  },
  "target-disk-full": {
    kind: "failed",
    meaning: "The target database server has no disk space left.",
    remedy: "Free space on the target server and restore again; what was begun has been dropped.",
  },
  "restore-target-failed": {
    kind: "failed",
    meaning: "The target database server refused a step of the restore.",
    remedy: "The sentence has the server's reason.",
  },
  "restore-tool-failed": {
    kind: "failed",
    meaning: "pg_restore or psql reported an error; nothing that failed is taken for a success.",
    remedy: "The sentence names the objects and the likely cause.",
  },
  "restore-incomplete": {
    kind: "integrity",
    meaning: "The restored database was compared with the backup's inventory and differs.",
    remedy: "The sentence names the tables. Verify the backup; restore again or from another one.",
  },
  "session-will-not-end": {
    kind: "failed",
    meaning: "A session on the target could not be ended, so the databases could not be swapped.",
    remedy: "End it, or let a superuser do so, and run the restore again; connections are allowed again.",
  },
  "restore-state-unknown": {
    kind: "failed",
    meaning: "The databases of a restore are not in any state that the restore leaves them in.",
    remedy: "Somebody renamed or dropped one of them; the sentence says what was found.",
  },
  "restore-target-changed": {
    kind: "failed",
    meaning: "The folder that files are restored to was changed by another program meanwhile.",
    remedy: "Stop the program and run the restore again, or undo it.",
  },
  "target-not-a-folder": {
    kind: "refused",
    meaning: "The place that files are to be restored to is not a folder.",
    remedy: "Name a folder; one that does not exist is made.",
  },
  "target-not-writable": {
    kind: "refused",
    meaning: "This user may not write where files are to be restored to.",
    remedy: "Give write and search rights on the folder, or run as its owner.",
  },
  "path-not-restorable": {
    kind: "refused",
    meaning: "A file of the backup has a name that no folder can hold, or that would lead out of it.",
    remedy: "Restore the others with --include; get this one with `lc2 backup download`.",
  },
  "restored-files-differ": {
    kind: "integrity",
    meaning: "The restored folder was listed and compared with the backup, and differs.",
    remedy: "The sentence names the files. Stop what changes the folder and restore again, or undo.",
  },
  "undo-not-possible": {
    kind: "refused",
    meaning: "This restore, or this part of it, left nothing that it could be undone from.",
    remedy: "Restore the backup that was made before it.",
  },
  // --- notifications ------------------------------------------------------------------------
  "notification-not-found": {
    kind: "not-found",
    meaning: "There is no notification of this name in the project, or in the installation.",
    remedy: "`lc2 notification list` shows what there is.",
  },
  "notification-failed": {
    kind: "failed",
    meaning: "The receiver of a notification refused it, or did not answer.",
    remedy:
      "Look at the receiver; `lc2 notification test` tries again at once. What is due is tried for a day.",
  },

  // --- hooks --------------------------------------------------------------------------------
  "hook-not-allowed": {
    kind: "refused",
    meaning:
      "A hook would run a command, call a URL, run SQL, use a secret or keep a path that is not allowed here.",
    remedy:
      "An administrator adds it to the hooks file (docs/guide/hooks.md); the sentence names what is missing.",
  },
  "hooks-file-invalid": {
    kind: "refused",
    meaning: "The file that says what hooks may do cannot be read, or others than its owner may write it.",
    remedy: "Mend it as the sentence says; docs/guide/hooks.md shows its form.",
  },
  "hook-failed": {
    kind: "failed",
    meaning: "A hook ended with an error, an unexpected status, or took longer than its timeout.",
    remedy: "Its output is shown with the operation. Mend the hook, or give it onError: continue.",
  },
  "hook-outcome-unknown": {
    kind: "failed",
    meaning: "The worker of a hook died, so nobody knows what the hook did.",
    remedy:
      "Look at what it changes, then run the command again; a hook that may run twice says idempotent: true.",
  },
  "hook-hold-expired": {
    kind: "failed",
    meaning: "What a hook held was undone because its time limit was over before the data had been read.",
    remedy: "Give it a longer maximumHold, or make the backup faster.",
  },
  "hook-artifact-missing": {
    kind: "failed",
    meaning: "A hook ended well, but there is nothing at its artifactPath.",
    remedy: "Compare artifactPath with where the hook's command writes.",
  },
} as const satisfies Record<string, FailureDefinition>);

export type FailureCode = keyof typeof failures;

export type Retry = "never" | "backoff";

/** The shape in which a failure crosses a process or storage boundary. */
export interface FailureRecord {
  readonly code: FailureCode;
  readonly message: string;
  readonly retry: Retry;
  /** How long whoever was asked wants to be left alone. */
  readonly retryAfterMs?: number;
  /** The store that is away or throttles, as `storeAccountOf` names it. */
  readonly store?: string;
}

/**
 * The only error this software throws on purpose.
 *
 * `message` is one or two sentences for a person: what failed, on which thing, the likely cause, what
 * to do next. It never holds a secret.
 */
export class Failure extends Error {
  readonly code: FailureCode;
  readonly retry: Retry;
  readonly retryAfterMs: number | undefined;
  readonly store: string | undefined;

  constructor(
    code: FailureCode,
    message: string,
    options: { cause?: unknown } & Partial<Pick<FailureRecord, "retry" | "retryAfterMs" | "store">> = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "Failure";
    this.code = code;
    this.retry = options.retry ?? "never";
    this.retryAfterMs = options.retryAfterMs;
    this.store = options.store;
  }

  get kind(): FailureKind {
    return failures[this.code].kind;
  }

  toRecord(): FailureRecord {
    const { code, message, retry, retryAfterMs, store } = this;
    return {
      code,
      message,
      retry,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(store === undefined ? {} : { store }),
    };
  }

  static fromRecord(record: FailureRecord): Failure {
    const { code, message, ...options } = record;
    return new Failure(code, message, options);
  }

  /** Any thrown value as a `Failure`; what is not one already is a defect of ours (`internal`). */
  static from(error: unknown): Failure {
    if (error instanceof Failure) return error;
    const message = error instanceof Error ? error.message : String(error);
    return new Failure("internal", message, { cause: error });
  }
}
