import fs from 'node:fs';

/** An argument that may name something inside a disk, taken apart. */
export interface InnerPath {
  readonly disk: string;
  /** `/etc` */
  readonly inner: string | undefined;
}

/**
 * Takes `web:/etc` and `./disk.qcow2:/etc` apart at the last `:/` that is no address's. A file whose own name reads so is
 * taken for itself.
 */
export function splitInnerPath(argument: string): InnerPath {
  const [, disk, inner] = /^(.+):(\/(?!\/).*)$/s.exec(argument) ?? [];
  if (disk === undefined || inner === undefined || fs.existsSync(argument)) return { disk: argument, inner: undefined };
  return { disk, inner };
}
