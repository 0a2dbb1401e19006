import type { BackupReference } from "../../contract/service.ts";
import type { BrowseItem } from "../../contract/worker-task.ts";
import type { CommandContext } from "../context.ts";
import { count, counted, instant, size } from "../humanise.ts";
import { printable } from "../terminal.ts";
import { toYaml } from "../yaml.ts";

/** Writes the items of a backup as they come, so that millions of them need no memory. */
export async function browse(
  context: CommandContext,
  reference: BackupReference,
  pattern: string | undefined,
): Promise<void> {
  const service = await context.service();
  const write = writerFor(context);
  const waiting = context.waiting();
  const pipe = new AbortController();
  const signal = AbortSignal.any([waiting.signal, pipe.signal]);
  const onItem = (item: BrowseItem): void => {
    if (context.out.closed()) pipe.abort();
    else write.item(item);
  };
  try {
    const totals = await service.browseBackup(reference, pattern, onItem, { ...waiting, signal });
    write.end(totals);
    if (context.format === "table") {
      const { tables, files, bytes } = totals;
      context.note(`${counted(tables, "table")}, ${counted(files, "file")}, ${size(bytes)}`);
    }
  } catch (error) {
    // The reader of our output went away (`| head`): it has what it wanted.
    if (!pipe.signal.aborted) throw error;
  }
}

interface ItemWriter {
  item(item: BrowseItem): void;
  end(totals: object): void;
}

function writerFor(context: CommandContext): ItemWriter {
  const { out, format } = context;
  let items = 0;
  if (format === "json") {
    return {
      item: (item) => {
        out.write(`${items === 0 ? '{\n  "items": [\n    ' : ",\n    "}${JSON.stringify(item)}`);
        items += 1;
      },
      end: (totals) => {
        const head = items === 0 ? '{\n  "items": [' : "\n  ";
        out.write(
          `${head}],\n  ${JSON.stringify(totals).slice(1, -1).replaceAll(',"', ',\n  "').replaceAll('":', '": ')}\n}\n`,
        );
      },
    };
  }
  if (format === "yaml") {
    return {
      item: (item) => {
        if (items === 0) out.write("items:\n");
        items += 1;
        out.write(toYaml([item]));
      },
      end: (totals) => out.write(`${items === 0 ? "items: []\n" : ""}${toYaml(totals)}`),
    };
  }
  return {
    item: (item) => out.write(`${format === "name" ? nameOf(item) : row(item)}\n`),
    end: () => undefined,
  };
}

const nameOf = (item: BrowseItem): string =>
  item.type === "table" ? printable(`${item.schema}.${item.name}`) : printable(item.path);

/** Fixed columns: a page that streams cannot be measured first. */
function row(item: BrowseItem): string {
  if (item.type === "table") {
    const rows = item.rows === undefined ? "rows left out" : `${count(item.rows)} rows`;
    return `table    ${(item.bytes === undefined ? "" : size(item.bytes)).padStart(9)}  ${rows.padStart(23)}  ${nameOf(item)}`;
  }
  const kind = { file: "file   ", directory: "folder ", symlink: "link   " }[item.type];
  const bytes = item.type === "file" ? size(item.size) : "";
  const gone = item.vanished === true ? "  (gone from the source, kept)" : "";
  return `${kind}  ${bytes.padStart(9)}  ${instant(item.modifiedAt).padStart(23)}  ${nameOf(item)}${gone}`;
}
