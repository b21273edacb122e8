/** What is wrong with a file, without its name. */
export interface Problem {
  /** Counted from 1; undefined where it is the whole file. */
  readonly line: number | undefined;
  /** Never has a secret in it. */
  readonly message: string;
}

/** What is wrong with a file of a template. */
export interface TemplateProblem extends Problem {
  readonly path: string;
}

/** A problem on a line, or of the whole file. */
export function problemAt(line: number | undefined, message: string): Problem {
  return { line, message };
}

/** `preseed.cfg:12: …` */
export function problemText({ path, line, message }: TemplateProblem): string {
  return `${line === undefined ? path : `${path}:${line}`}: ${message}`;
}
