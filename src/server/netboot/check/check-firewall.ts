import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { NeededPort } from './check-ports.ts';
import { type Finding, ok, warning } from './finding.ts';

const run = promisify(execFile);

interface Rule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly expr?: readonly Readonly<Record<string, unknown>>[];
}

interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

/**
 * Whether this machine's own packet filter lets machines come in: a chain that drops what no rule takes is looked through for
 * the ports. What rules with conditions do is not worked out, so that nothing is called a problem.
 */
export async function checkFirewall(ports: readonly NeededPort[]): Promise<Finding> {
  const what = 'packet filter';
  let text: string;
  try {
    text = (await run('nft', ['-j', 'list', 'ruleset'], { maxBuffer: 2 ** 26, timeout: 10_000 })).stdout;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return ok(what, 'no nft here that would tell of one');
    return warning(what, 'cannot be looked at; root can');
  }
  const { chains, rules } = parseRules(text);
  const closed = chains.filter(({ hook, policy }) => hook === 'input' && policy === 'drop');
  const missing = ports.filter((port) => closed.some((chain) => !isLetIn(port, chain, rules)));
  if (missing.length === 0) return ok(what, closed.length === 0 ? 'lets everything in' : 'names all ports');
  const names = missing.map(({ port, protocol, what: use }) => `${protocol} ${port} (${use})`).join(', ');
  return warning(what, `it drops what no rule takes, and no rule names ${names}; nft list ruleset shows it`);
}

function parseRules(text: string): { readonly chains: Chain[]; readonly rules: Rule[] } {
  const { nftables = [] } = JSON.parse(text) as { nftables?: Readonly<Record<string, unknown>>[] };
  const chains = nftables.flatMap(({ chain }) => (chain === undefined ? [] : [chain as Chain]));
  return { chains, rules: nftables.flatMap(({ rule }) => (rule === undefined ? [] : [rule as Rule])) };
}

/** Whether some rule of the chain's table that accepts names a port, or takes everything. */
function isLetIn({ port, protocol }: NeededPort, chain: Chain, rules: readonly Rule[]): boolean {
  return rules.some(({ expr = [], family, table }) => {
    if (family !== chain.family || table !== chain.table || !expr.some((each) => 'accept' in each)) return false;
    const matches = expr.filter((each) => 'match' in each);
    if (matches.length === 0) return true;
    const named = matches.find((each) => JSON.stringify(each).includes('"dport"'));
    if (named === undefined) return false;
    const words = JSON.stringify(named);
    return (
      (words.includes(`"${protocol}"`) || words.includes('"th"')) &&
      portsIn(named).some(([first, last]) => port >= first && port <= last)
    );
  });
}

/** The numbers and ranges that a match has, however deep. */
function portsIn(value: unknown): [number, number][] {
  if (typeof value === 'number') return [[value, value]];
  if (typeof value !== 'object' || value === null) return [];
  const { range } = value as { range?: unknown };
  if (Array.isArray(range) && range.length === 2) return [[Number(range[0]), Number(range[1])]];
  return Object.values(value).flatMap(portsIn);
}
