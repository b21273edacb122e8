import { isVarveError } from '../base/varve-error.ts';
import { isRunning, ownIdentity, type ProcessIdentity, pidNamespace } from '../linux/process-identity.ts';
import type { Catalog, Row } from './catalog.ts';
import { hexOf } from './chunk.ts';

/**
 * What a process does to the store that others must know of: `ingest` adds chunks that no snapshot names yet, `read`
 * reads a content that may be removed meanwhile, `collect` is garbage collection, `write` changes an image through an
 * overlay: of one stack of overlays there is only one.
 */
export type LeaseKind = 'ingest' | 'read' | 'collect' | 'write';

/** What a lease is about, where it is about something. */
export interface LeaseClaim {
  /** The root of a content that must stay. */
  readonly root?: Uint8Array | undefined;
  /** The catalog's number of an image that is written to. */
  readonly image?: number | undefined;
  /** Whose overlays over it are written to; empty for the image's own. */
  readonly owner?: string | undefined;
  /** Where the holder can be talked to: the path of a Unix socket. */
  readonly socket?: string | undefined;
}

/** A process's claim, kept in the catalog; it counts as long as the process lives. */
export interface Lease extends LeaseClaim {
  readonly id: number;
  readonly kind: LeaseKind;
  /** In words, for messages: `import web`. */
  readonly purpose: string;
  readonly pid: number;
  /** When it was taken, milliseconds since 1970. */
  readonly created: number;
}

/** The leases of one catalog. */
export class LeaseTable {
  readonly #catalog: Catalog;
  /** Leases of ours that are over, and that the catalog still has: giving them back failed. */
  readonly #over = new Set<number>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** Takes a lease for this process; inside a transaction. */
  take(kind: LeaseKind, purpose: string, { root, image, owner, socket }: LeaseClaim = {}): number {
    const me = thisProcess();
    return this.#catalog.run(
      `INSERT INTO leases (kind, purpose, pid, start_time, boot_id, pid_namespace, root, created, image, owner, socket)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[kind, purpose, me.pid, me.startTime, me.bootId, me.pidNamespace, root ?? null, Date.now()],
      ...[image ?? null, owner ?? null, socket ?? null],
    ).lastId;
  }

  /** Who writes to a stack of overlays; undefined where nobody living does. */
  writerOf(image: number, owner: string): Lease | undefined {
    return this.living('write').find((lease) => lease.image === image && lease.owner === owner);
  }

  /**
   * Gives a lease back. Where the catalog cannot be written, on a full disk, whoever releases has worse to tell: then
   * the next release does it, or the end of this process.
   */
  release(id: number): void {
    this.#over.add(id);
    try {
      this.#catalog.writeLazily(() => {
        for (const each of this.#over) this.#catalog.run('DELETE FROM leases WHERE id = ?', each);
      });
      this.#over.clear();
    } catch (error) {
      if (!isVarveError(error)) throw error;
    }
  }

  /** The leases whose processes live. */
  living(...kinds: LeaseKind[]): Lease[] {
    const rows = this.#catalog.all('SELECT * FROM leases ORDER BY id').filter((row) => this.#counts(row));
    const leases = rows.map(leaseOf);
    return kinds.length === 0 ? leases : leases.filter((lease) => kinds.includes(lease.kind));
  }

  /** Forgets the leases of processes that died; inside a transaction. */
  reap(): void {
    for (const row of this.#catalog.all('SELECT * FROM leases')) {
      if (!this.#counts(row)) this.#catalog.run('DELETE FROM leases WHERE id = ?', row.id as number);
    }
  }

  /** The contents that living readers hold, once each. */
  heldRoots(): Uint8Array[] {
    const roots = new Map<string, Uint8Array>();
    for (const { root } of this.living()) if (root !== undefined) roots.set(hexOf(root), root);
    return [...roots.values()];
  }

  #counts(row: Row): boolean {
    return !this.#over.has(row.id as number) && isAlive(row);
  }
}

function leaseOf(row: Row): Lease {
  return {
    id: row.id as number,
    kind: row.kind as LeaseKind,
    purpose: row.purpose as string,
    pid: row.pid as number,
    created: row.created as number,
    root: (row.root as Uint8Array | null) ?? undefined,
    image: (row.image as number | null) ?? undefined,
    owner: (row.owner as string | null) ?? undefined,
    socket: (row.socket as string | null) ?? undefined,
  };
}

function isAlive(row: Row): boolean {
  const { bootId, pidNamespace: mine } = thisProcess();
  if (row.boot_id !== bootId) return false;
  // A process in another container cannot be seen from here: better a lease too long than data lost.
  if (row.pid_namespace !== mine) return true;
  return isRunning({ pid: row.pid as number, startTime: row.start_time as number, bootId });
}

let known: (ProcessIdentity & { readonly pidNamespace: string }) | undefined;

function thisProcess(): NonNullable<typeof known> {
  known ??= { ...ownIdentity(), pidNamespace: pidNamespace() };
  return known;
}
