/** `node test/golden/check.ts FOLDER`: fails when a build in FOLDER does not give the golden digests. */
import { digestProblems } from './digests.ts';

const folder = process.argv[2];
if (folder === undefined) throw new Error('say which folder holds the builds');
const problems = await digestProblems(folder);
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
