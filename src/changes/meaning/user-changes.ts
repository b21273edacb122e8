import type { User } from '../../inspect/system/users.ts';

/** What became of an account. */
export interface UserChange {
  readonly change: 'added' | 'removed' | 'modified';
  readonly name: string;
  /** What of it differs: `shell: /bin/bash -> /bin/false`, `password`. */
  readonly differences: readonly string[];
}

const fields = ['uid', 'gid', 'fullName', 'home', 'shell', 'expires'] as const;

/** What is known of a guest's accounts. */
export interface Accounts {
  readonly users: readonly User[];
  /** Their secrets, to be compared and never shown, by name. */
  readonly secrets: ReadonlyMap<string, string>;
}

/** The accounts that differ, by name. `hasOtherKeys` tells of those with other keys for SSH. */
export function userChanges(before: Accounts, after: Accounts, hasOtherKeys: (user: User) => boolean): UserChange[] {
  const old = new Map(before.users.map((user) => [user.name, user]));
  const now = new Map(after.users.map((user) => [user.name, user]));
  const found: UserChange[] = [];
  for (const [name, user] of now) {
    const was = old.get(name);
    if (was === undefined) found.push({ change: 'added', name, differences: [stateOf(user)] });
    else {
      const differences = differencesOf(was, user);
      if (before.secrets.get(name) !== after.secrets.get(name)) differences.push('password');
      if (hasOtherKeys(user)) differences.push(`keys: ${was.keyCount} -> ${user.keyCount}`);
      if (differences.length > 0) found.push({ change: 'modified', name, differences });
    }
  }
  for (const name of old.keys()) if (!now.has(name)) found.push({ change: 'removed', name, differences: [] });
  return found.sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
}

function stateOf({ uid, canLogIn }: User): string {
  return `uid: ${uid}${canLogIn ? ', can log in' : ''}`;
}

function differencesOf(was: User, is: User): string[] {
  const found = fields
    .filter((field) => was[field] !== is[field])
    .map((field) => `${field}: ${was[field] ?? ''} -> ${is[field] ?? ''}`);
  if (was.canLogIn !== is.canLogIn) found.push(is.canLogIn ? 'can log in now' : 'cannot log in any more');
  return found;
}
