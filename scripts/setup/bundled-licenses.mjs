import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDirectory } from './project.mjs';

/**
 * The licences of the libraries that are in a bundle.
 * @param {string[]} inputs the files it is made of, relative to the project
 */
export function licensesOf(inputs) {
  const names = inputs.map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  const texts = [...new Set(names)].sort().map((name) => {
    if (name === undefined) return '';
    const directory = join(projectDirectory, 'node_modules', name);
    const file = readdirSync(directory).find((each) => /^licen[cs]e/i.test(each));
    const text =
      file === undefined ? readPackage(directory).license : readFileSync(join(directory, file), 'utf8').trim();
    return `${name}\n\n${text}\n`;
  });
  return texts.filter((text) => text !== '').join('\n---\n\n');
}

/**
 * @param {string} directory
 * @returns {{ license?: string }}
 */
function readPackage(directory) {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
}
