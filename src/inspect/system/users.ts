import type { GuestTree } from '../../guest/guest-tree.ts';
import { attempt } from '../attempt.ts';
import { type FactSource, noWarnings, type Warn } from '../fact.ts';
import { readText } from '../guest-files.ts';

/** What an account's password allows: `set` and `empty` to log in, `locked` and `none` not. It is never shown itself. */
export type PasswordState = 'set' | 'empty' | 'locked' | 'none' | 'unknown';

/** An account of a guest. */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** The person's name, as passwd's comment has it. */
  readonly fullName?: string | undefined;
  readonly home: string;
  readonly shell: string;
  readonly password: PasswordState;
  /** How many keys may log in over SSH. */
  readonly keyCount: number;
  /** The day on which the account ends, `2026-01-31`. */
  readonly expires?: string | undefined;
  /** Whether there is a shell, and a password or a key to get to it. */
  readonly canLogIn: boolean;
  readonly source: FactSource;
}

const largestAccounts = 8 << 20;
const mostUsers = 100_000;
/** Keys are looked for in the homes of so many, and no more. */
const mostHomes = 1000;
const longestHome = 256;
/** Hashes have some hundred characters. */
const longestSecret = 1024;
const noShells = /\/(?:nologin|false|sync|shutdown|halt|true)$/;

/** The accounts of a guest. Source: passwd(5), shadow(5), crypt(5), sshd(8). */
export async function usersOf(tree: GuestTree, warn: Warn = noWarnings): Promise<User[]> {
  const path = '/etc/passwd';
  const accounts = await attempt(path, warn, undefined, () => readText(tree, path, largestAccounts));
  if (accounts === undefined) return [];
  const shadow = await shadowLines(tree, warn);
  const users: User[] = [];
  let homes = 0;
  for (const [index, line] of accounts.text.split('\n').entries()) {
    const source = { path: accounts.path, record: `line ${index + 1}` };
    const user = parseAccount(line, shadow, source);
    if (user === undefined) continue;
    if (users.length === mostUsers) {
      warn({
        path: accounts.path,
        message: `${accounts.path} has more than ${mostUsers} accounts; the rest is left out`,
      });
      break;
    }
    const isLookedAt = !noShells.test(user.shell) && homes < mostHomes;
    homes += isLookedAt ? 1 : 0;
    users.push(withKeys(user, isLookedAt ? await countKeys(tree, user.home, warn) : 0));
  }
  return users;
}

/** The fields of each line of shadow, by the account's name. */
async function shadowLines(tree: GuestTree, warn: Warn): Promise<ReadonlyMap<string, readonly string[]>> {
  const path = '/etc/shadow';
  const read = await attempt(path, warn, undefined, () => readText(tree, path, largestAccounts));
  const lines = (read?.text ?? '').split('\n').map((line) => line.split(':', 9));
  return new Map(lines.filter(({ length }) => length > 1).map((fields) => [fields[0]!, fields]));
}

type Account = Omit<User, 'keyCount' | 'canLogIn'>;

function parseAccount(
  line: string,
  shadow: ReadonlyMap<string, readonly string[]>,
  source: FactSource,
): Account | undefined {
  const [name, secret, uid, gid, comment = '', home = '', shell = ''] = line.split(':', 7);
  if (!name || secret === undefined || !/^\d{1,10}$/.test(uid ?? '') || !/^\d{1,10}$/.test(gid ?? '')) return undefined;
  const hidden = shadow.get(name);
  return {
    ...{ name, uid: Number(uid), gid: Number(gid), fullName: comment.split(',')[0] || undefined, home },
    shell: shell || '/bin/sh',
    password: secret === 'x' ? (hidden === undefined ? 'unknown' : passwordState(hidden[1]!)) : passwordState(secret),
    expires: dayOf(hidden?.[7]),
    source,
  };
}

/** What a password field allows, by its form alone. */
function passwordState(secret: string): PasswordState {
  if (secret === '') return 'empty';
  if (secret.length > longestSecret) return 'none';
  if (/^!*\*?!*$/.test(secret) || secret === '*LK*' || secret === '*NP*') return 'none';
  if (secret.startsWith('!') || secret.startsWith('*')) return 'locked';
  // What no kind of hash looks like never matches.
  return /^(?:\$[^$]+\$.+|_?[./0-9A-Za-z]{13,})$/.test(secret) ? 'set' : 'none';
}

function dayOf(days: string | undefined): string | undefined {
  if (days === undefined || !/^\d{1,6}$/.test(days)) return undefined;
  return new Date(Number(days) * 86_400_000).toISOString().slice(0, 10);
}

async function countKeys(tree: GuestTree, home: string, warn: Warn): Promise<number> {
  let count = 0;
  if (!home.startsWith('/') || home.length > longestHome) return 0;
  for (const name of ['authorized_keys', 'authorized_keys2']) {
    const path = `${home}/.ssh/${name}`;
    const read = await attempt(path, warn, undefined, () => readText(tree, path));
    count += read?.text.split('\n').filter((line) => /^\s*[^#\s]/.test(line)).length ?? 0;
  }
  return count;
}

function withKeys(account: Account, keyCount: number): User {
  const hasSecret = account.password === 'set' || account.password === 'empty' || keyCount > 0;
  return { ...account, keyCount, canLogIn: hasSecret && !noShells.test(account.shell) };
}
