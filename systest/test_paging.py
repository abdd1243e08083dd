"""Page replacement: the policy is chosen at boot, and a name that is none is refused before anything is touched."""

import pytest

POLICIES = ["random", "fifo", "second-chance", "lru", "sieve"]


@pytest.mark.parametrize("policy", POLICIES)
def test_policy_brings_back_more_content_than_memory(image, program, policy):
    boot = image.boot("--policy", policy, "--memory", "24", "--interval", "50", program=[program("crash_memory")])
    boot.expect("ready")
    for command, answer in (("fill 9000", "filled 9000"), ("check", "right 9000"), ("check", "right 9000")):
        boot.send_line(command)
        boot.expect(answer, timeout=60)
    boot.kill()


def test_policy_that_does_not_exist_is_refused_by_the_kernel(used_image):
    before = used_image.content()
    boot = used_image.boot("--kernel-options", "policy=mru")
    boot.expect("policy: 'mru' is no page replacement policy; give one of: " + " ".join(POLICIES))
    assert boot.end() == 1
    assert used_image.content() == before
