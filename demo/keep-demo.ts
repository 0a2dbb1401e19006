/** Leaves the demo up: files to source and to run, and words on how to play with it and how to end it. */
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DemoWorkspace } from "./demo-workspace.ts";
import { lc2Program, shellWord } from "./lc2-program.ts";
import type { RunningPostgres } from "./postgres-servers.ts";
import type { Transcript } from "./transcript.ts";

/** Writes `environment.sh` and `stop.sh` and says what they are for. */
export async function keepRunning(parts: {
  readonly workspace: DemoWorkspace;
  readonly server: RunningPostgres;
  readonly environment: Readonly<Record<string, string>>;
  readonly transcript: Transcript;
  readonly names: { readonly database: string; readonly owner: string; readonly project: string };
  readonly backupId: string;
}): Promise<void> {
  const { workspace, server, transcript, names, backupId } = parts;
  const environmentFile = join(workspace.folder, "environment.sh");
  const stopFile = join(workspace.folder, "stop.sh");
  const path = [join(lc2Program, ".."), server.installation.clientDirectory ?? ""].join(":");
  const lines = Object.entries(parts.environment).map(
    ([name, value]) => `export ${name}=${shellWord(value)}\n`,
  );
  await writeFile(environmentFile, `${lines.join("")}export PATH=${shellWord(path)}:"$PATH"\n`);
  await writeFile(stopFile, stopScript(workspace.folder, server));
  await chmod(stopFile, 0o755);

  const url = server.urlOf(names.database, names.owner);
  transcript.note("It stays up, in its damaged state, in");
  transcript.note(`  ${workspace.folder}`);
  transcript.note("Settings for this shell (passwords, programs, data directory), then for instance:");
  transcript.command(`. ${shellWord(environmentFile)}`);
  transcript.command(`psql ${url} -c '\\dt+ *.*'`);
  transcript.command(`lc2 backup list --project ${names.project}`);
  transcript.command(`lc2 backup browse ${backupId}`);
  transcript.command(`lc2 backup verify ${backupId}`);
  transcript.command(`lc2 restore create --from ${backupId} --database ${url} --files ${workspace.files}`);
  transcript.note("To stop the server and remove everything:");
  transcript.command(`sh ${shellWord(stopFile)}`);
}

function stopScript(folder: string, server: RunningPostgres): string {
  return `#!/bin/sh
# Stops the demo's PostgreSQL and removes the demo's folder.
pidfile=${shellWord(join(server.dataDirectory, "postmaster.pid"))}
if [ -f "$pidfile" ]; then
  pid=$(head -n 1 "$pidfile")
  kill -INT "$pid" && while [ -f "$pidfile" ]; do sleep 0.1; done
fi
rm -rf -- ${shellWord(folder)}
`;
}
