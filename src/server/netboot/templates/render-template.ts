import { isVarveError } from '../../../base/varve-error.ts';
import type { TemplateKind, TemplateSettings } from '../room/room.ts';
import { checkCloudData, wrapAutoinstall } from './check-cloud-data.ts';
import { checkIgnition } from './check-ignition.ts';
import { checkKickstart } from './check-kickstart.ts';
import { checkPreseed } from './check-preseed.ts';
import { type ParsedTemplate, parseTemplate } from './parse-template.ts';
import { putInJson } from './put-in-json.ts';
import { type LineSyntax, putInLines, shellQuoted } from './put-in-lines.ts';
import { putInYaml } from './put-in-yaml.ts';
import { isSecret, resolveValue } from './resolve-value.ts';
import { readTemplateFiles, type TemplateFile } from './template-files.ts';
import { type Problem, problemAt, type TemplateProblem } from './template-problem.ts';
import type { TemplateValues } from './template-values.ts';

/** A file as a machine gets it. */
export interface RenderedFile {
  readonly name: string;
  readonly path: string;
  /** As it is served; it may hold secrets. */
  readonly text: string;
  /** The same with a word in the place of each secret, line for line, where other programs can check such a file. */
  readonly shownText: string | undefined;
}

/** All files of a template for one machine, and what is wrong with them: then not all of them may be there. */
export interface RenderedTemplate {
  readonly files: readonly RenderedFile[];
  readonly problems: TemplateProblem[];
}

/** Renders the files of a template for one machine, and checks what comes of it by our own rules. */
export function renderTemplate(template: TemplateSettings, values: TemplateValues): RenderedTemplate {
  let sources: TemplateFile[];
  try {
    sources = readTemplateFiles(template);
  } catch (error) {
    if (!isVarveError(error)) throw error;
    return { files: [], problems: [{ path: template.file, line: undefined, message: error.message }] };
  }
  const files: RenderedFile[] = [];
  const problems: TemplateProblem[] = [];
  for (const source of sources) {
    const { path } = source;
    const onProblem = (problem: Problem): void => void problems.push({ ...problem, path });
    const rendered = renderFile(template.kind, source, values, onProblem);
    if (rendered !== undefined) files.push(rendered);
  }
  return { files, problems };
}

type OnProblem = (problem: Problem) => void;

function renderFile(
  kind: TemplateKind,
  { name, path, text }: TemplateFile,
  values: TemplateValues,
  onProblem: OnProblem,
): RenderedFile | undefined {
  let isGood = true;
  const note: OnProblem = (problem) => {
    isGood = false;
    onProblem(problem);
  };
  const source = name === 'user-data' && kind === 'autoinstall' ? wrapAutoinstall(text, note) : { text, addedLines: 0 };
  const noteInSource: OnProblem = ({ line, message }) =>
    note(problemAt(line === undefined ? undefined : Math.max(1, line - source.addedLines), message));
  const template = parseTemplate(source.text, noteInSource);
  const resolved = resolveAll(template, values, noteInSource);
  if (!isGood) return undefined;
  const put = syntaxOf(kind, name, source.text);
  const rendered = put(template, resolved, noteInSource);
  if (!isGood || rendered === undefined) return undefined;
  const shownText = hasLines(kind) ? put(template, withoutSecrets(template, resolved), () => {}) : undefined;
  checkFile(kind, name, shownText ?? rendered, noteInSource);
  return isGood ? { name, path, text: rendered, shownText } : undefined;
}

function hasLines(kind: TemplateKind): kind is 'preseed' | 'kickstart' {
  return kind === 'preseed' || kind === 'kickstart';
}

function withoutSecrets({ places }: ParsedTemplate, values: readonly string[]): string[] {
  return places.map(({ name }, index) => (isSecret(name) ? 'secret' : values[index]!));
}

function resolveAll({ places }: ParsedTemplate, values: TemplateValues, onProblem: OnProblem): string[] {
  return places.map(({ name, filter, line }) => {
    try {
      const value = resolveValue(name, values);
      if (filter === 'base64') return Buffer.from(value).toString('base64');
      return filter === 'uri' ? encodeURIComponent(value.toWellFormed()) : value;
    } catch (error) {
      if (!isVarveError(error)) throw error;
      onProblem(problemAt(line, error.message));
      return '';
    }
  });
}

type PutIn = (template: ParsedTemplate, values: readonly string[], onProblem: OnProblem) => string | undefined;

function syntaxOf(kind: TemplateKind, name: string, text: string): PutIn {
  const lines =
    (syntax: LineSyntax): PutIn =>
    (...all) =>
      putInLines(syntax, ...all);
  if (hasLines(kind)) return lines(kind);
  const isScript = (name === 'user-data' || name === 'vendor-data') && text.startsWith('#!');
  if (isScript) return lines('script');
  const put: PutIn = kind === 'ignition' ? putInJson : (...all) => putInYaml(...all)?.text;
  return (template, values, onProblem) => put(template, quotedForShell(template, values), onProblem);
}

function quotedForShell({ places }: ParsedTemplate, values: readonly string[]): string[] {
  return places.map(({ filter }, index) => (filter === 'shell' ? shellQuoted(values[index]!) : values[index]!));
}

function checkFile(kind: TemplateKind, name: string, text: string, onProblem: OnProblem): void {
  if (kind === 'preseed') checkPreseed(text, onProblem);
  else if (kind === 'kickstart') checkKickstart(text, onProblem);
  else if (kind === 'ignition') checkIgnition(text, onProblem);
  else checkCloudData(kind, name, text, onProblem);
}
