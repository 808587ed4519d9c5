import { expect, test } from 'vitest'
import { run } from '../scripts/run.mjs'

const node = (code: string, timeoutMs: number): ReturnType<typeof run> =>
  run(process.execPath, ['--eval', code], { timeoutMs, capture: true })

test('a command is judged by its exit, also when a process outside its group holds its pipes', async () => {
  const code = `
    const { spawn } = require('node:child_process')
    const idle = ['--eval', 'setTimeout(() => {}, 15_000)']
    const holder = spawn(process.execPath, idle, { detached: true, stdio: 'inherit' })
    holder.unref()
    console.log(holder.pid)`

  const { ok, output, reason } = await node(code, 4_000)
  process.kill(Number(output))

  expect({ ok, reason }).toEqual({ ok: true, reason: '' })
})

test('a character that comes in two chunks is one', async () => {
  const code = `
    process.stdout.write(Buffer.from([0xe2, 0x82]))
    setTimeout(() => process.stdout.write(Buffer.from([0xac])), 100)`

  expect(await node(code, 15_000)).toEqual({ ok: true, output: '€', reason: '' })
})

test('a command that takes too long has failed, whatever its exit', async () => {
  const code = `process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1_000)`

  expect(await node(code, 1_500)).toMatchObject({ ok: false, reason: 'took longer than 1.5 s' })
})
