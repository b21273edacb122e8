import { catalogue } from '../catalogue.ts';

/** What `varve --help` prints: all commands, in groups. */
export function overview(): string {
  const listed = catalogue.filter((entry) => entry.group !== undefined);
  const nameLength = Math.max(...listed.map((entry) => entry.name.length));
  const groups = Map.groupBy(listed, (entry) => entry.group);
  const sections = [...groups].map(([group, entries]) => {
    const lines = entries.map(({ name, summary }) => `  ${name.padEnd(nameLength)}  ${summary}`);
    return `${group}:\n${lines.join('\n')}`;
  });
  return `${usage}\n\n${sections.join('\n\n')}\n\n${options}`;
}

const usage = `Usage: varve [OPTIONS] COMMAND ...

Keeps disks of machines the way git keeps source. A disk in the store is named
web (its newest snapshot), web@3, web@TAG or web@{hash prefix}.`;

const options = `Options of every command:
  --store PATH   where the store is (default: VARVE_STORE, else varve in the
                 user's data directory)
  --json         print results as JSON
  -v, --verbose  tell everything that happens, on standard error
  -h, --help     show help; varve COMMAND --help has examples
  -V, --version  print the version

docs/commands.md describes all commands, docs/exit-status.md the exit statuses.`;
