import { rmSync } from 'node:fs'

for (const folder of ['dist', 'coverage', 'test-results']) rmSync(folder, { recursive: true, force: true })
