/** What a check has found of one thing. */
export interface Finding {
  /** What was looked at: `loader for x64 EFI`. */
  readonly what: string;
  readonly state: 'ok' | 'warning' | 'problem';
  /** What is there, or what is wrong and what to do. */
  readonly detail: string;
}

export function ok(what: string, detail: string): Finding {
  return { what, state: 'ok', detail };
}

/** Something that may be meant so. */
export function warning(what: string, detail: string): Finding {
  return { what, state: 'warning', detail };
}

/** Something by which machines will not boot. */
export function problem(what: string, detail: string): Finding {
  return { what, state: 'problem', detail };
}

/** The problem that an error is. */
export function problemOf(what: string, error: unknown): Finding {
  return problem(what, error instanceof Error ? error.message : String(error));
}
