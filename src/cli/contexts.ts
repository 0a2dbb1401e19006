/** A server that the command line speaks to, under a name. Holds no secret: the key is where `apiKeyFile` says. */
export interface SavedContext {
  /** `https://backup.example.com:8443` */
  readonly server: string;
  /** Absolute. Absent: LC2_API_KEY, or, for a server of this machine, the key in the data directory. */
  readonly apiKeyFile?: string;
}

export interface SavedContexts {
  /** The name of the one in use; absent: none, the command line works by itself. */
  readonly current?: string;
  readonly contexts: Readonly<Record<string, SavedContext>>;
}

/** Where contexts are kept between commands. */
export interface ContextStore {
  /** For messages. */
  readonly path: string;
  read(): SavedContexts;
  /** Whole or not at all. */
  write(contexts: SavedContexts): Promise<void>;
}
