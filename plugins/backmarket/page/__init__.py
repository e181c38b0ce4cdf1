"""The page "Back Market" in Airflow: is it working, what did it do, what needs a person?"""
