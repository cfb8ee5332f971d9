// Prints the digest of each seed: node digests.mjs MODULE SEEDS STEPS
import { readFileSync } from "node:fs";

const [path, seeds, steps] = process.argv.slice(2);
const module = new WebAssembly.Module(readFileSync(path));
const { perennial_digest } = new WebAssembly.Instance(module).exports;
for (let seed = 0n; seed < BigInt(seeds); seed++) {
  const digest = BigInt.asUintN(64, perennial_digest(seed, BigInt(steps)));
  console.log(`${seed} ${digest.toString(16).padStart(16, "0")}`);
}
