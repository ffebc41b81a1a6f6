"""Whether a model's answer depends on who the patient is or on the machine: interventions, tests, reports
and studies.
"""
