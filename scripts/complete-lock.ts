/**
 * Completes package-lock.json: adds the optional packages for other platforms that npm left out.
 *
 * A registry mirror may lack the packages of platforms it does not serve. npm then drops them from the lock, and
 * `npm ci` of npm 11 refuses a lock that lacks them. This adds each with the version its parent asks for and the
 * platform its name says, without an integrity hash (npm adds that where it finds the package). Run it after
 * `npm install` has changed the lock; `npm run check` says when that is due.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { completedLock, type PackageLock } from './lock/completed-lock.ts';

const path = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(path, 'utf8')) as PackageLock;
const { completed, added } = completedLock(lock);
if (added.length > 0) writeFileSync(path, `${JSON.stringify(completed, null, 2)}\n`);
console.log(added.length === 0 ? 'package-lock.json is complete' : `added to package-lock.json: ${added.join(' ')}`);
