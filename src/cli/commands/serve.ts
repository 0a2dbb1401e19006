import { defineCommand, flag, InvalidValue, value, valueOr } from "../command.ts";
import { durationSeconds, oneOf, text } from "../option-values.ts";

/** `127.0.0.1:8080`, `[::1]:8080`, `backup.example.com:443`. */
function listenAddress(written: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(written) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535) {
    throw new InvalidValue("must be an address and a port: 127.0.0.1:8080 or [::1]:8080");
  }
  return { host, port: Number(port) };
}

export const serveCommand = defineCommand({
  name: "serve",
  summary: "serve the REST interface, and do the work that is asked for through it",
  description:
    "Every call but /health/* needs an API key; the first, for the admin, is put into admin.key in the data directory. " +
    "Logs are JSON lines on standard output. SIGTERM and Ctrl-C end it as --on-stop says, at the latest after --drain.",
  examples: [
    { command: "lc2 serve", says: "for this machine, at 127.0.0.1:8080" },
    {
      command: "lc2 serve --listen 0.0.0.0:8443 --tls-cert tls.crt --tls-key tls.key",
      says: "for other machines",
    },
  ],
  arguments: {},
  options: {
    listen: valueOr("--listen <address>", "where to listen", listenAddress, "127.0.0.1:8080"),
    tlsCert: value(
      "--tls-cert <file>",
      "certificate (PEM, with its chain); read again when it changes",
      text,
      {
        complete: "file",
      },
    ),
    tlsKey: value("--tls-key <file>", "its private key (PEM)", text, { complete: "file" }),
    metricsListen: value(
      "--metrics-listen <address>",
      "also show /metrics here, without an API key and without TLS: choose who can reach it",
      listenAddress,
    ),
    insecure: flag(
      "--insecure",
      "listen beyond this machine without TLS: something in front of it speaks TLS",
    ),
    trustOperators: flag(
      "--trust-operators",
      "API keys for some projects may name any database, folder and bucket that this server can reach",
    ),
    onStop: valueOr(
      "--on-stop <how>",
      "after a signal: wait for what runs, leave it to the next server on this machine (handover), or end backups and queue them again (end)",
      oneOf("wait", "handover", "end"),
      "wait",
    ),
    drain: valueOr(
      "--drain <time>",
      "how long running operations are given after a signal",
      durationSeconds,
      "30s",
    ),
  },
  check: ({ options: { tlsCert, tlsKey } }) =>
    (tlsCert === undefined) === (tlsKey === undefined)
      ? []
      : [{ subject: "--tls-cert", code: "usage", message: "--tls-cert and --tls-key go together" }],
  run: async ({ host, dataDirectory }, { options }) => {
    const { listen, metricsListen, tlsCert: cert, tlsKey: key, insecure, trustOperators } = options;
    const { onStop, drain } = options;
    await host.serve({
      dataDirectory,
      listen,
      ...(metricsListen === undefined ? {} : { metricsListen }),
      ...(cert === undefined || key === undefined ? {} : { tls: { cert, key } }),
      insecure,
      trustOperators,
      onStop,
      drainSeconds: drain,
    });
  },
});
