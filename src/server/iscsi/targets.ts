import type { ExportEntry, NbdExports } from '../nbd/nbd-export.ts';
import { UnitState } from './disk-unit.ts';
import type { Session } from './session.ts';

/** Before the name of each target; `internal` is kept for names that are known in one place only. */
const nameAuthority = 'iqn.2026-11.internal.varve';
/** Source: RFC 7143, section 4.2.7.1. */
const longestName = 223;

/** A session that stands, by which it can be ended. */
export interface StandingSession {
  /** Ends it; returns when the disk has done with it. */
  end(): Promise<void>;
}

/** A disk as a target. */
export interface Target {
  readonly name: string;
  readonly exportName: string;
  readonly state: UnitState;
  readonly sessions: Set<Session>;
  /** By the initiator's port, which has one at most. */
  readonly standing: Map<string, StandingSession>;
}

/** The name of the target that an export is. What may not stand in it is left out, or comes out as `-`. */
export function targetName(exportName: string): string {
  const suffix = exportName
    .toLowerCase()
    .replaceAll('@', ':')
    .replaceAll(/[^a-z0-9.:-]+/g, '-');
  return `${nameAuthority}:${suffix}`.slice(0, longestName);
}

/** The targets of a server: each export is one. */
export class Targets {
  readonly #exports: NbdExports;
  readonly #known = new Map<string, Target>();

  constructor(exports: NbdExports) {
    this.#exports = exports;
  }

  /** The names of all targets. */
  names(): string[] {
    return [...new Set(Array.from(this.#exports.list(), ({ name }) => targetName(name)))];
  }

  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  /** The target of a name and its export; `undefined` where there is none any more. */
  async open(name: string): Promise<{ readonly target: Target; readonly entry: ExportEntry } | undefined> {
    const exportName = this.#find(name);
    const entry = exportName === undefined ? undefined : await this.#exports.find(exportName);
    if (exportName === undefined || entry === undefined) return undefined;
    const known = this.#known.get(exportName);
    if (known !== undefined) return { target: known, entry };
    const lowerName = name.toLowerCase();
    const state = new UnitState();
    const target = { name: lowerName, exportName, state, sessions: new Set<Session>(), standing: new Map() };
    this.#known.set(exportName, target);
    return { target, entry };
  }

  #find(name: string): string | undefined {
    const wanted = name.toLowerCase();
    // A room of machines asks for each of its targets: going through all of them each time would add up.
    const suffix = wanted.slice(nameAuthority.length + 1);
    if (this.#exports.has?.(suffix) && targetName(suffix) === wanted) return suffix;
    for (const listed of this.#exports.list()) if (targetName(listed.name) === wanted) return listed.name;
    return undefined;
  }
}
