// What the program is given from outside. Types only.

/** Where answers to questions and secrets are read from; a terminal has `setRawMode`. */
export interface Input extends AsyncIterable<unknown> {
  readonly isTTY?: boolean;
  setRawMode?(on: boolean): unknown;
  on(event: "data", listener: (chunk: Buffer | string) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  off(event: "data", listener: (chunk: Buffer | string) => void): unknown;
  off(event: "end", listener: () => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

export interface Io {
  env: Record<string, string | undefined>;
  /** Folder that relative paths start from. */
  folder: string;
  /** The person's own folder. */
  home: string;
  system: NodeJS.Platform;
  input: Input;
  /** Results. */
  out: (text: string) => void;
  /** Everything else. */
  err: (text: string) => void;
  colour: boolean;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Shows a page; false where there is no browser. */
  browse: (url: string) => Promise<boolean>;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
}
